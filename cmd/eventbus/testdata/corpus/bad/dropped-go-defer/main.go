// go and defer lose it as well.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	defer bus.Call(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
	go bus.Publish(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
}
