// Domains know the bus by interfaces.
package main

import (
	"context"

	"bus.test/eventbus"
)

type registrar interface {
	Register(domain, action string, fn eventbus.Func, mw ...eventbus.Middleware) (unregister func())
}

type domain interface{ Wire(r registrar) }

type users struct{}

func (users) Wire(r registrar) { r.Register("user", "created", users{}.on) }

func (users) on(ctx context.Context, d eventbus.Data) error { return nil }

type orders struct{}

func (orders) Wire(r registrar) { r.Register("order", "placed", orders{}.on) }

func (orders) on(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	for _, d := range []domain{users{}, orders{}} {
		d.Wire(bus)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
