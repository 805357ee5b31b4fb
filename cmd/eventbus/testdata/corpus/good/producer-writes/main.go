// A producer may write to the params before it dispatches them.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	d := eventbus.Data{Domain: "a", Action: "b", RawParams: make([]byte, 4)}
	copy(d.RawParams, "null")
	d.RawParams[0] = 'n'
	_ = bus.Publish(context.Background(), d)
}
