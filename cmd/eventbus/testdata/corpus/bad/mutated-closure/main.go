// A closure in the handler writes.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", func(ctx context.Context, d eventbus.Data) error {
		mask := func() { d.RawParams[0] = '*' } // want: error mutated
		mask()
		return nil
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
