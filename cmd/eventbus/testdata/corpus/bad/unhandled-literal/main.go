// A Data written out by hand.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("mail", "queued", h)
	d := eventbus.Data{Domain: "mail", Action: "quued"} // want: error unhandled
	_ = bus.Publish(context.Background(), d)
}
