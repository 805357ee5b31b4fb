// A handler of one action of any domain.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register(eventbus.Any, "deleted", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "deleted", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "deleted", nil))
}
