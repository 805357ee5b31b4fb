// An audit that is itself audited.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	bus.Register(eventbus.Any, eventbus.Any, func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, eventbus.MustData("audit", "written", d.Domain)) // want: error cycle
	})
	eventbus.On(bus, "audit", "written", func(ctx context.Context, s string) error { return nil })
	eventbus.On(bus, "user", "created", func(ctx context.Context, s string) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", "x"))
}
