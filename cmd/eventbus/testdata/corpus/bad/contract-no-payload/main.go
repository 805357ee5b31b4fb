// An event without params, whose handler reads some.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "pinged", func(ctx context.Context, v struct{ ID string }) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "pinged", nil))
}
