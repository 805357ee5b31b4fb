// A handler that registers another.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", func(ctx context.Context, d eventbus.Data) error {
		bus.Register("user", "deleted", func(ctx context.Context, d eventbus.Data) error { return nil }) // want: warning late
		return nil
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "deleted", nil))
}
