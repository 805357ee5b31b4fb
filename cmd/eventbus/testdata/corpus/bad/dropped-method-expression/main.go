// A method expression, and a bus in a field.
package main

import (
	"context"

	"bus.test/eventbus"
)

type app struct{ bus *eventbus.Bus }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	a := app{eventbus.New(nil)}
	a.bus.Register("a", "b", h)
	d := eventbus.MustData("a", "b", nil)
	(*eventbus.Bus).Publish(a.bus, context.Background(), d) // want: error dropped
	func() {
		defer a.bus.Call(context.Background(), d) // want: error dropped
	}()
}
