// Through an interface that the bus fits.
package main

import (
	"context"

	"bus.test/eventbus"
)

type caller interface {
	Call(context.Context, eventbus.Data) error
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func run(c caller) {
	c.Call(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	run(bus)
}
