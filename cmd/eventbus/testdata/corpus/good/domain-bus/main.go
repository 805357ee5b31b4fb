// A bus of a domain, which wraps the bus.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"bus.test/eventbus"
)

type domainBus struct {
	inner  *eventbus.Bus
	domain string
}

func (b domainBus) On(action string, fn eventbus.Func) func() {
	return b.inner.Register(b.domain, action, fn)
}

func (b domainBus) Emit(ctx context.Context, action string, v any) error {
	d, err := eventbus.NewData(b.domain, action, v)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return b.inner.Call(ctx, d)
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	users := domainBus{bus, "user"}
	orders := domainBus{inner: bus, domain: "order"}
	users.On("created", h)
	orders.On("placed", h)
	if err := errors.Join(users.Emit(context.Background(), "created", 1), orders.Emit(context.Background(), "placed", 2)); err != nil {
		log.Fatal(err)
	}
}
