// A handler of every event does not count.
package main

import (
	"context"

	"bus.test/eventbus"
)

func audit(ctx context.Context, d eventbus.Data) error { return nil }
func ship(ctx context.Context, d eventbus.Data) error  { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register(eventbus.Any, eventbus.Any, audit)
	bus.Register("order", "placed", ship)
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "plcaed", nil)) // want: error unhandled
}
