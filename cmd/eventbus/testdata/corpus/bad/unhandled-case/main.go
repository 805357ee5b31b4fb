// Another case of the same name.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "signedUp", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "signedup", nil)) // want: error unhandled
}
