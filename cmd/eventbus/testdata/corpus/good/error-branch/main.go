// The failure of a handler is an event, whose handler ends it.
package main

import (
	"context"
	"errors"

	"bus.test/eventbus"
)

type app struct{ bus *eventbus.Bus }

func (a *app) charge(ctx context.Context, d eventbus.Data) error {
	if _, err := eventbus.Decode[struct{}](d); err != nil {
		return errors.Join(err, a.bus.Publish(ctx, eventbus.MustData("payment", "failed", nil)))
	}
	return a.bus.Publish(ctx, eventbus.MustData("payment", "made", nil))
}

func (a *app) note(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	a := &app{eventbus.New(nil)}
	a.bus.Register("order", "placed", a.charge)
	a.bus.Register("payment", "failed", a.note)
	a.bus.Register("payment", "made", a.note)
	_ = a.bus.Call(context.Background(), eventbus.MustData("order", "placed", nil))
}
