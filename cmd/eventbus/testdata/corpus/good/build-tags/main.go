// What is registered depends on build tags.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	wire(bus)
	_ = bus.Publish(context.Background(), eventbus.MustData("metric", "counted", nil))
}
