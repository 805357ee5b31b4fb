// Names written as one text.
package main

import (
	"context"
	"strings"

	"bus.test/eventbus"
)

func on(bus *eventbus.Bus, event string, fn eventbus.Func) {
	domain, action, ok := strings.Cut(event, ".")
	if !ok {
		panic(event)
	}
	bus.Register(domain, action, fn)
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	on(bus, "user.created", h)
	on(bus, "order.placed", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
