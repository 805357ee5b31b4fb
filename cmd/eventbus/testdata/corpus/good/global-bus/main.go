// A bus in a variable, handlers registered by init and by variables.
package main

import (
	"context"

	"bus.test/eventbus"
)

var bus = eventbus.New(nil)

var _ = bus.Register("a", "first", h)

func init() { bus.Register("a", "second", h) }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "first", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "second", nil))
}
