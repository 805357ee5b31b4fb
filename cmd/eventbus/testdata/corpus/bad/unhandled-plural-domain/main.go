// A domain in the plural.
package main

import (
	"context"

	"bus.test/eventbus"
)

const domain = "users"

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "deleted", h)
	_ = bus.Publish(context.Background(), eventbus.MustData(domain, "deleted", nil)) // want: error unhandled
}
