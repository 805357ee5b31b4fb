// A row of a table of handlers.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	for _, r := range []struct {
		action string
		fn     eventbus.Func
	}{
		{"placed", h},
		{"teleported", h}, // want: warning undispatched
	} {
		bus.Register("order", r.action, r.fn)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
