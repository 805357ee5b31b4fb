// Dispatched through an interface of its own.
package main

import (
	"context"

	"bus.test/eventbus"
)

type publisher interface {
	Publish(ctx context.Context, data eventbus.Data) error
}

type service struct{ events publisher }

func (s *service) rename(ctx context.Context) error {
	return s.events.Publish(ctx, eventbus.MustData("project", "renmaed", nil)) // want: error unhandled
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("project", "renamed", h)
	s := &service{events: bus}
	_ = s.rename(context.Background())
}
