// A builder of registrations.
package main

import (
	"context"

	"bus.test/eventbus"
)

type builder struct {
	bus            *eventbus.Bus
	domain, action string
}

func on(bus *eventbus.Bus, domain string) *builder { return &builder{bus: bus, domain: domain} }

func (b *builder) when(action string) *builder {
	b.action = action
	return b
}

func (b *builder) do(fn eventbus.Func) { b.bus.Register(b.domain, b.action, fn) }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	on(bus, "user").when("created").do(h)
	on(bus, "order").when("placed").do(h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
