// Handlers that need no params, or take them as they come.
package main

import (
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type Made struct{ A, B string }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "x", "done", func(ctx context.Context, _ struct{}) error { return nil })
	eventbus.On(bus, "x", "done", func(ctx context.Context, raw json.RawMessage) error { return nil })
	eventbus.On(bus, "x", "done", func(ctx context.Context, m map[string]string) error { return nil })
	eventbus.On(bus, "x", "done", func(ctx context.Context, v any) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("x", "done", Made{}))
}
