// One handler is right, the other has a slip: the event is handled, the second never runs.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("user", "creatd", h) // want: warning undispatched
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
}
