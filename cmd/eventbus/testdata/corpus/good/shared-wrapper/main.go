// A wrapper shared by handlers does not tie them together.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func logged(next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		log.Println(d.Domain, d.Action)
		return next(ctx, d)
	}
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("order", "placed", logged(func(ctx context.Context, d eventbus.Data) error {
		return bus.Call(ctx, eventbus.MustData("stock", "reserved", nil))
	}))
	bus.Register("stock", "reserved", logged(func(ctx context.Context, d eventbus.Data) error {
		return bus.Call(ctx, eventbus.MustData("mail", "queued", nil))
	}))
	bus.Register("mail", "queued", logged(func(ctx context.Context, d eventbus.Data) error { return nil }))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
