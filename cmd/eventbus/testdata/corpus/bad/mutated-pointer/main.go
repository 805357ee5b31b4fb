// A helper that is given a pointer to the data.
package main

import (
	"context"

	"bus.test/eventbus"
)

func scrub(d *eventbus.Data) { d.RawParams[0] = '*' }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", func(ctx context.Context, d eventbus.Data) error {
		scrub(&d) // want: error mutated
		return nil
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
