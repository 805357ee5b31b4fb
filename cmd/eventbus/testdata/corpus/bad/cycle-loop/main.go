// A circle through a loop over what the event holds: it may be empty.
package main

import (
	"context"

	"bus.test/eventbus"
)

type order struct{ Children []string }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "split", func(ctx context.Context, o order) error {
		for _, c := range o.Children {
			d, err := eventbus.NewData("order", "split", order{[]string{c}})
			if err != nil {
				return err
			}
			if err := bus.Publish(ctx, d); err != nil { // want: warning cycle
				return err
			}
		}
		return nil
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "split", order{}))
}
