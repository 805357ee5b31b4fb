// A helper that is given the whole data.
package main

import (
	"context"

	"bus.test/eventbus"
)

func scrub(d eventbus.Data) { clear(d.RawParams) }

func on(ctx context.Context, d eventbus.Data) error {
	scrub(d) // want: error mutated
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
