// Only one of two producers writes the field.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Full struct{ ID, Reason string }
type Short struct{ ID string }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "cancelled", func(ctx context.Context, f Full) error { return nil }) // want: warning contract
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "cancelled", Full{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "cancelled", Short{}))
}
