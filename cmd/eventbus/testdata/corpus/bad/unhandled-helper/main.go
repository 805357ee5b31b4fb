// The name goes through a helper, which is told it by its callers.
package main

import (
	"context"

	"bus.test/eventbus"
)

func emit(ctx context.Context, bus *eventbus.Bus, action string, v any) error {
	d, err := eventbus.NewData("stock", action, v)
	if err != nil {
		return err
	}
	return bus.Publish(ctx, d)
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("stock", "reserved", h)
	bus.Register("stock", "counted", h)
	ctx := context.Background()
	_ = emit(ctx, bus, "reserved", nil)
	_ = emit(ctx, bus, "reservd", nil) // want: error unhandled
	_ = emit(ctx, bus, "counted", nil)
}
