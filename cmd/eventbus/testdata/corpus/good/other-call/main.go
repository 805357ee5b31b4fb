// Call and Publish of something that is no bus.
package main

import (
	"context"

	"bus.test/eventbus"
)

type queue struct{}

func (queue) Publish(ctx context.Context, topic string) error { return nil }
func (queue) Call() error                                     { return nil }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	var q queue
	q.Publish(context.Background(), "x")
	q.Call()
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", nil))
}
