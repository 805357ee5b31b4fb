// The same name means another thing in a program that shares nothing.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "job", "done", func(ctx context.Context, n int) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("job", "done", 7))
}
