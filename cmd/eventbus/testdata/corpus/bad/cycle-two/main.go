// A sets off B, B sets off A.
package main

import (
	"context"

	"bus.test/eventbus"
)

type app struct{ bus *eventbus.Bus }

func (a *app) onA(ctx context.Context, d eventbus.Data) error {
	return a.bus.Publish(ctx, eventbus.MustData("b", "done", nil)) // want: error cycle
}

func (a *app) onB(ctx context.Context, d eventbus.Data) error {
	return a.bus.Publish(ctx, eventbus.MustData("a", "done", nil))
}

func main() {
	a := &app{eventbus.New(nil)}
	a.bus.Register("a", "done", a.onA)
	a.bus.Register("b", "done", a.onB)
	_ = a.bus.Publish(context.Background(), eventbus.MustData("a", "done", nil))
}
