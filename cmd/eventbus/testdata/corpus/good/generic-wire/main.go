// A generic helper registers for every type.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Created struct{ ID string }
type Deleted struct{ ID string }

func handle[T any](bus *eventbus.Bus, action string, fn func(context.Context, T) error) {
	bus.Register("user", action, func(ctx context.Context, d eventbus.Data) error {
		v, err := eventbus.Decode[T](d)
		if err != nil {
			return err
		}
		return fn(ctx, v)
	})
}

func main() {
	bus := eventbus.New(nil)
	handle(bus, "created", func(ctx context.Context, c Created) error { return nil })
	handle(bus, "deleted", func(ctx context.Context, c Deleted) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Created{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "deleted", Deleted{}))
}
