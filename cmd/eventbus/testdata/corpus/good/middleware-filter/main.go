// A middleware that filters leaves no circle that is sure, and a chain is none.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
)

func once(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error { return next(ctx, d) }
}

func main() {
	bus := eventbus.New(nil, once)
	bus.Register("a", "done", func(ctx context.Context, d eventbus.Data) error {
		if err := bus.Call(ctx, eventbus.MustData("b", "done", nil)); err != nil {
			return fmt.Errorf("b: %w", err)
		}
		return bus.Call(ctx, eventbus.MustData("c", "done", nil))
	}, once)
	bus.Register("b", "done", func(ctx context.Context, d eventbus.Data) error {
		return bus.Call(ctx, eventbus.MustData("c", "done", nil))
	})
	bus.Register("c", "done", func(ctx context.Context, d eventbus.Data) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "done", nil))
}
