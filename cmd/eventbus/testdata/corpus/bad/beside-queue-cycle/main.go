// Two events set each other off, one of them through a queue.
package main

import (
	"context"
	"time"

	"bus.test/eventbus"
	"bus.test/eventbus/queue"
)

type app struct {
	bus *eventbus.Bus
	q   *queue.Queue
}

func (a *app) onA(ctx context.Context, d eventbus.Data) error {
	return a.q.Call(ctx, a.bus, eventbus.MustData("b", "done", nil)) // want: error cycle
}

func (a *app) onB(ctx context.Context, d eventbus.Data) error {
	_, err := a.q.After(ctx, time.Second, a.bus.Publish, eventbus.MustData("a", "done", nil))
	return err
}

func main() {
	a := &app{eventbus.New(nil), queue.New()}
	a.bus.Register("a", "done", a.onA)
	a.bus.Register("b", "done", a.onB)
	_ = a.bus.Publish(context.Background(), eventbus.MustData("a", "done", nil))
}
