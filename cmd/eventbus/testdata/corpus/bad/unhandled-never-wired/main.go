// There is a Wire function, and nobody calls it.
package main

import (
	"context"

	"bus.test/eventbus"
)

func Wire(bus *eventbus.Bus) {
	bus.Register("cart", "emptied", func(ctx context.Context, d eventbus.Data) error { return nil })
}

func main() {
	bus := eventbus.New(nil)
	_ = bus.Publish(context.Background(), eventbus.MustData("cart", "emptied", nil)) // want: warning unhandled
}
