// A map of tables, walked in two loops.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

var routes = map[string][]struct {
	Action string
	Fn     eventbus.Func
}{
	"user":  {{"created", h}, {"deleted", h}},
	"order": {{Action: "placed", Fn: h}},
}

func main() {
	bus := eventbus.New(nil)
	for domain, list := range routes {
		for _, r := range list {
			bus.Register(domain, r.Action, r.Fn)
		}
	}
	ctx := context.Background()
	_ = bus.Publish(ctx, eventbus.MustData("user", "created", nil))
	_ = bus.Publish(ctx, eventbus.MustData("user", "deleted", nil))
	_ = bus.Publish(ctx, eventbus.MustData("order", "placed", nil))
}
