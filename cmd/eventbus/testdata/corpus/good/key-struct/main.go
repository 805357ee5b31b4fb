// Handlers by a struct of both names.
package main

import (
	"context"

	"bus.test/eventbus"
)

type key struct{ domain, action string }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	for k, fn := range map[key]eventbus.Func{
		{"user", "created"}: h,
		{"order", "placed"}: h,
	} {
		bus.Register(k.domain, k.action, fn)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", nil))
}
