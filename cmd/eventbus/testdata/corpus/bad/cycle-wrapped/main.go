// The handlers are wrapped, each by the same logging function.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func logged(next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		log.Println(d.Domain)
		return next(ctx, d)
	}
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("ping", "sent", logged(func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, eventbus.MustData("pong", "sent", nil)) // want: error cycle
	}))
	bus.Register("pong", "sent", logged(func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, eventbus.MustData("ping", "sent", nil))
	}))
	_ = bus.Publish(context.Background(), eventbus.MustData("ping", "sent", nil))
}
