// Names that are near and both right.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "locked", h)
	bus.Register("user", "unlocked", h)
	bus.Register("order", "placed.v1", h)
	bus.Register("order", "placed.v2", h)
	for _, a := range [...]string{"locked", "unlocked"} {
		_ = bus.Publish(context.Background(), eventbus.MustData("user", a, nil))
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed.v1", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed.v2", nil))
}
