// A middleware stands between that may stop it.
package main

import (
	"context"

	"bus.test/eventbus"
)

func when(ok func(eventbus.Data) bool) eventbus.Middleware {
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			if !ok(d) {
				return nil
			}
			return next(ctx, d)
		}
	}
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "done", func(ctx context.Context, d eventbus.Data) error {
		return bus.Publish(ctx, eventbus.MustData("a", "done", nil)) // want: warning cycle
	}, when(func(d eventbus.Data) bool { return len(d.RawParams) > 0 }))
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "done", nil))
}
