// Domain and action changed places.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("session", "expired", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("expired", "session", nil)) // want: error unhandled
}
