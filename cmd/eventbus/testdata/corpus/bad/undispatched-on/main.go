// On, through a generic helper of the domain.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Left struct{ ID int }

func on[T any](bus *eventbus.Bus, action string, fn func(context.Context, T) error) {
	eventbus.On(bus, "team", action, fn)
}

func main() {
	bus := eventbus.New(nil)
	on(bus, "joined", func(ctx context.Context, l Left) error { return nil })
	on(bus, "left", func(ctx context.Context, l Left) error { return nil }) // want: warning undispatched
	_ = bus.Publish(context.Background(), eventbus.MustData("team", "joined", Left{1}))
}
