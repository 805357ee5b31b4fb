// Handlers in a map, by action.
package main

import (
	"context"

	"bus.test/eventbus"
)

type svc struct{}

func (svc) created(ctx context.Context, d eventbus.Data) error { return nil }
func (svc) deleted(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	s := svc{}
	handlers := map[string]eventbus.Func{
		"created": s.created,
		"deleted": s.deleted,
	}
	for action, h := range handlers {
		bus.Register("user", action, h)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "deleted", nil))
}
