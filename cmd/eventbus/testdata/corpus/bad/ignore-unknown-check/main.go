// A comment for a check that there is none of.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	// want+1: warning ignore
	//eventbus:ignore typos I know what I do
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", nil))
}
