// A helper that registers one handler for many events.
package main

import (
	"context"

	"bus.test/eventbus"
)

func subscribe(bus *eventbus.Bus, fn eventbus.Func, domain string, actions ...string) {
	for _, a := range actions {
		bus.Register(domain, a, fn)
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	subscribe(bus, h, "user", "created", "deleted")
	subscribe(bus, h, "order", "placed")
	for _, d := range []eventbus.Data{
		eventbus.MustData("user", "created", nil),
		eventbus.MustData("user", "deleted", nil),
		{Domain: "order", Action: "placed"},
	} {
		_ = bus.Publish(context.Background(), d)
	}
}
