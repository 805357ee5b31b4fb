// Payloads that say themselves what they are called.
package main

import (
	"context"

	"bus.test/eventbus"
)

type named interface {
	EventName() (domain, action string)
}

type UserCreated struct{ ID string }

func (UserCreated) EventName() (string, string) { return "user", "created" }

type OrderPaid struct{ Total int }

func (OrderPaid) EventName() (string, string) { return "order", "paid" }

func Publish[T named](ctx context.Context, bus *eventbus.Bus, v T) error {
	domain, action := v.EventName()
	d, err := eventbus.NewData(domain, action, v)
	if err != nil {
		return err
	}
	return bus.Publish(ctx, d)
}

func Subscribe[T named](bus *eventbus.Bus, fn func(context.Context, T) error) {
	var zero T
	domain, action := zero.EventName()
	eventbus.On(bus, domain, action, fn)
}

func main() {
	bus := eventbus.New(nil)
	Subscribe(bus, func(ctx context.Context, v UserCreated) error { return nil })
	Subscribe(bus, func(ctx context.Context, v OrderPaid) error { return nil })
	_ = Publish(context.Background(), bus, UserCreated{"1"})
	_ = Publish(context.Background(), bus, OrderPaid{2})
}
