// Services that hold their domain in a field.
package main

import (
	"context"

	"bus.test/eventbus"
)

type events struct {
	bus    *eventbus.Bus
	domain string
}

func newEvents(bus *eventbus.Bus, domain string) *events { return &events{bus, domain} }

func (e *events) emit(ctx context.Context, action string, v any) error {
	d, err := eventbus.NewData(e.domain, action, v)
	if err != nil {
		return err
	}
	return e.bus.Publish(ctx, d)
}

func (e *events) handle(action string, fn eventbus.Func) { e.bus.Register(e.domain, action, fn) }

type users struct{ ev *events }

func (u *users) create(ctx context.Context) error { return u.ev.emit(ctx, "created", nil) }

type orders struct{ ev *events }

func (o *orders) place(ctx context.Context) error { return o.ev.emit(ctx, "placed", nil) }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	u, o := &users{newEvents(bus, "user")}, &orders{newEvents(bus, "order")}
	u.ev.handle("created", h)
	o.ev.handle("placed", h)
	_ = u.create(context.Background())
	_ = o.place(context.Background())
}
