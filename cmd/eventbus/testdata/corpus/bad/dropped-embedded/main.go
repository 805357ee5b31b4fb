// A bus embedded in a struct.
package main

import (
	"context"

	"bus.test/eventbus"
)

type app struct{ *eventbus.Bus }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	a := app{eventbus.New(nil)}
	a.Register("a", "b", h)
	a.Publish(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
}
