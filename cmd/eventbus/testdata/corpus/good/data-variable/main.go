// A Data filled in field by field, and reused.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "first", h)
	bus.Register("b", "second", h)
	var d eventbus.Data
	d.Domain, d.Action = "a", "first"
	_ = bus.Publish(context.Background(), d)
	d.Domain, d.Action = "b", "second"
	_ = bus.Publish(context.Background(), d)
}
