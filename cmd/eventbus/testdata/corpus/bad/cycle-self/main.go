// A handler publishes what it handles.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	bus.Register("tick", "fired", func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, eventbus.MustData("tick", "fired", nil)) // want: error cycle
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("tick", "fired", nil))
}
