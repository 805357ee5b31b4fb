// A handler that wires a module, through two helpers.
package main

import (
	"context"

	"bus.test/eventbus"
)

func wire(bus *eventbus.Bus, tenant string) { register(bus, "tenant") }

func register(bus *eventbus.Bus, domain string) {
	bus.Register(domain, "ready", func(ctx context.Context, d eventbus.Data) error { return nil }) // want: warning late
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "tenant", "added", func(ctx context.Context, name string) error {
		wire(bus, name)
		return bus.Publish(ctx, eventbus.MustData("tenant", "ready", nil))
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("tenant", "added", "x"))
}
