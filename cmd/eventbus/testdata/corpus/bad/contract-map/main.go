// A map with constant keys is as good as a struct.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "job", "done", func(ctx context.Context, v struct{ ID, Worker string }) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("job", "done", map[string]any{"id": "7"}))
}
