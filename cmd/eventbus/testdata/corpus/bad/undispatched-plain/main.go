// A handler for what nobody makes.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "merged", h) // want: warning undispatched
	bus.Register("user", "created", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
}
