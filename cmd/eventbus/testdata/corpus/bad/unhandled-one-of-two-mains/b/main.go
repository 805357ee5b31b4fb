// The other program is right.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "invited", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "invited", nil))
}
