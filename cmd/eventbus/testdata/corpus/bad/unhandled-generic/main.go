// A generic publisher, given the name by its callers.
package main

import (
	"context"

	"bus.test/eventbus"
)

func Emit[T any](ctx context.Context, bus *eventbus.Bus, domain, action string, v T) error {
	return bus.Publish(ctx, eventbus.MustData(domain, action, v))
}

type Blocked struct{ By string }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "blocked", func(ctx context.Context, b Blocked) error { return nil })
	_ = Emit(context.Background(), bus, "user", "blocked", Blocked{"x"})
	_ = Emit(context.Background(), bus, "user", "bolcked", Blocked{"y"}) // want: error unhandled
}
