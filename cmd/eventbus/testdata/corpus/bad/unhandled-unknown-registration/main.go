// A registration nobody can read turns the error into a warning.
package main

import (
	"context"
	"os"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("user", os.Getenv("ACTION"), h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "cretaed", nil)) // want: warning unhandled
}
