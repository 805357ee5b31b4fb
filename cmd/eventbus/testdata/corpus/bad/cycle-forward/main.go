// A handler that publishes its own data again.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	bus.Register("echo", "heard", func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, d) // want: error cycle
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("echo", "heard", nil))
}
