// A whole domain that nobody speaks for.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("warehouse", eventbus.Any, h) // want: warning undispatched
	bus.Register("user", eventbus.Any, h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
}
