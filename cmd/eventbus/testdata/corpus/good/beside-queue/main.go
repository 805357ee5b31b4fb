// Events that go through a queue and end.
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
	return a.q.Publish(ctx, a.bus, eventbus.MustData("b", "done", nil))
}

func (a *app) onB(ctx context.Context, d eventbus.Data) error {
	_, err := a.q.After(ctx, time.Second, a.bus.Publish, eventbus.MustData("c", "done", nil))
	return err
}

func (a *app) onC(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	a := &app{eventbus.New(nil), queue.New()}
	a.bus.Register("a", "done", a.onA, a.q.Async())
	a.bus.Register("b", "done", a.onB)
	a.bus.Register("c", "done", a.onC)
	_ = a.q.Call(context.Background(), a.bus, eventbus.MustData("a", "done", nil))
}
