// Handlers that say themselves what they handle.
package main

import (
	"context"

	"bus.test/eventbus"
)

type handler interface {
	Event() (domain, action string)
	Handle(ctx context.Context, d eventbus.Data) error
}

type welcome struct{}

func (welcome) Event() (string, string)                           { return "user", "created" }
func (welcome) Handle(ctx context.Context, d eventbus.Data) error { return nil }

type refund struct{ n int }

func (*refund) Event() (string, string)                           { return "order", "cancelled" }
func (*refund) Handle(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	for _, h := range []handler{welcome{}, &refund{}} {
		domain, action := h.Event()
		bus.Register(domain, action, h.Handle)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "cancelled", nil))
}
