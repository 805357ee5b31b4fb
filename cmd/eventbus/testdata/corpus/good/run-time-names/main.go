// Names known at run time only are unknown, not wrong.
package main

import (
	"context"
	"os"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("feed", "updated", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("feed", os.Args[1], nil))
}
