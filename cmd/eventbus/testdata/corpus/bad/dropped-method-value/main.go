// A method value in a variable.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	publish := bus.Publish
	publish(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
}
