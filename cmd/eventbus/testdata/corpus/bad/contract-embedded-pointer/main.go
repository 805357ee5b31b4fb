// A shadowed field has the kind of the outer one.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Base struct{ Total int }

type Made struct {
	*Base
	Total string
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "cart", "summed", func(ctx context.Context, b Base) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("cart", "summed", Made{}))
}
