// The producer is never called.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func produce(bus *eventbus.Bus) error {
	return bus.Publish(context.Background(), eventbus.MustData("lead", "scored", nil))
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("lead", "scored", h) // want: warning undispatched
}
