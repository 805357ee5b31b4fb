// Nobody handles it, and nothing is near.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	_ = bus.Publish(context.Background(), eventbus.MustData("invoice", "archived", nil)) // want: warning unhandled
}
