// Two handlers of one event, whose chains meet and end.
package main

import (
	"context"

	"bus.test/eventbus"
)

type app struct{ bus *eventbus.Bus }

func (a *app) publish(ctx context.Context, domain, action string) error {
	return a.bus.Publish(ctx, eventbus.MustData(domain, action, nil))
}

func (a *app) onOrder(ctx context.Context, d eventbus.Data) error {
	if err := a.publish(ctx, "stock", "reserved"); err != nil {
		return err
	}
	return a.publish(ctx, "mail", "queued")
}

func (a *app) onStock(ctx context.Context, d eventbus.Data) error {
	return a.publish(ctx, "mail", "queued")
}
func (a *app) onMail(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	a := &app{eventbus.New(nil)}
	a.bus.Register("order", "placed", a.onOrder)
	a.bus.Register("stock", "reserved", a.onStock)
	a.bus.Register("mail", "queued", a.onMail)
	_ = a.publish(context.Background(), "order", "placed")
}
