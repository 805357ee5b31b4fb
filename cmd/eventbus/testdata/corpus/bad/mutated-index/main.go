// The plain write.
package main

import (
	"context"

	"bus.test/eventbus"
)

func on(ctx context.Context, d eventbus.Data) error {
	d.RawParams[0] = 'x' // want: error mutated
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
