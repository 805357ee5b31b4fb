// A helper that writes.
package main

import (
	"context"

	"bus.test/eventbus"
)

func scrub(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}

func on(ctx context.Context, d eventbus.Data) error {
	scrub(d.RawParams) // want: error mutated
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
