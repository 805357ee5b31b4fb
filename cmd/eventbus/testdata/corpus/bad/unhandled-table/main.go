// Events in a table, one of them misspelt.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

var actions = []string{
	"opened",
	"closd", // want: error unhandled
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("ticket", "opened", h)
	bus.Register("ticket", "closed", h)
	for _, a := range actions {
		_ = bus.Publish(context.Background(), eventbus.MustData("ticket", a, nil))
	}
}
