// A condition stands between.
package main

import (
	"context"

	"bus.test/eventbus"
)

type n struct{ N int }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "count", "down", func(ctx context.Context, v n) error {
		if v.N == 0 {
			return nil
		}
		return bus.Call(ctx, eventbus.MustData("count", "down", n{v.N - 1})) // want: warning cycle
	})
	_ = bus.Call(context.Background(), eventbus.MustData("count", "down", n{3}))
}
