// A closure captures the name and the bus.
package main

import (
	"context"

	"bus.test/eventbus"
)

func publisher(bus *eventbus.Bus, domain string) func(ctx context.Context, action string, v any) error {
	return func(ctx context.Context, action string, v any) error {
		return bus.Publish(ctx, eventbus.MustData(domain, action, v))
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("order", "placed", h)
	user, order := publisher(bus, "user"), publisher(bus, "order")
	_ = user(context.Background(), "created", nil)
	_ = order(context.Background(), "placed", nil)
}
