// A function of the library that writes.
package main

import (
	"context"
	"slices"

	"bus.test/eventbus"
)

func on(ctx context.Context, d eventbus.Data) error {
	slices.Reverse(d.RawParams) // want: error mutated
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
