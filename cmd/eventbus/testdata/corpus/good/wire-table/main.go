// A table of wiring functions, and a module type with a method.
package main

import (
	"context"

	"bus.test/eventbus"
)

type module struct {
	name   string
	events map[string]eventbus.Func
}

func (m module) Wire(bus *eventbus.Bus) {
	for action, fn := range m.events {
		bus.Register(m.name, action, fn)
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func modules() []module {
	var ms []module
	ms = append(ms, module{"user", map[string]eventbus.Func{"created": h}})
	ms = append(ms, module{name: "order", events: map[string]eventbus.Func{"placed": h, "paid": h}})
	return ms
}

var setups = []func(*eventbus.Bus){
	func(b *eventbus.Bus) { b.Register("mail", "sent", h) },
	extra,
}

func extra(b *eventbus.Bus) { b.Register("sms", "sent", h) }

func main() {
	bus := eventbus.New(nil)
	for _, m := range modules() {
		m.Wire(bus)
	}
	for _, s := range setups {
		s(bus)
	}
	ctx := context.Background()
	_ = bus.Publish(ctx, eventbus.MustData("user", "created", nil))
	_ = bus.Publish(ctx, eventbus.MustData("order", "placed", nil))
	_ = bus.Publish(ctx, eventbus.MustData("order", "paid", nil))
	_ = bus.Publish(ctx, eventbus.MustData("mail", "sent", nil))
	_ = bus.Publish(ctx, eventbus.MustData("sms", "sent", nil))
}
