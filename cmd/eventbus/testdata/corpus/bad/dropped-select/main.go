// A bare call in a select.
package main

import (
	"context"
	"time"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("tick", "fired", h)
	ticks := time.Tick(time.Second)
	for {
		select {
		case <-ticks:
			bus.Publish(context.Background(), eventbus.MustData("tick", "fired", nil)) // want: error dropped
		}
	}
}
