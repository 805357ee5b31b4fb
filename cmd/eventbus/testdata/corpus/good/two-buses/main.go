// A bridge from one bus to another is no circle.
package main

import (
	"context"

	"bus.test/eventbus"
)

func bridge(to *eventbus.Bus) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error { return to.Publish(ctx, d) }
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	inner, outer := eventbus.New(nil), eventbus.New(nil)
	inner.Register("user", "created", bridge(outer))
	outer.Register("user", "created", h)
	_ = inner.Publish(context.Background(), eventbus.MustData("user", "created", nil))
}
