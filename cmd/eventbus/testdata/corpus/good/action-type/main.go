// An action type with a String method.
package main

import (
	"context"

	"bus.test/eventbus"
)

type action int

const (
	created action = iota
	deleted
)

func (a action) String() string {
	switch a {
	case created:
		return "created"
	case deleted:
		return "deleted"
	}
	return "unknown"
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", created.String(), h)
	bus.Register("user", deleted.String(), h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", created.String(), nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", deleted.String(), nil))
}
