// append into the room of a shorter slice.
package main

import (
	"context"

	"bus.test/eventbus"
)

func on(ctx context.Context, d eventbus.Data) error {
	b := append(d.RawParams[:0], "null"...) // want: error mutated
	_ = b
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
