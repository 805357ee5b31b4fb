// Layers round every dispatch, and middleware of the bus.
package main

import (
	"context"
	"log"
	"time"

	"bus.test/eventbus"
)

func trace(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		start := time.Now()
		defer func() { log.Println(h.Name, d.Domain, time.Since(start)) }()
		return next(ctx, d)
	}
}

func main() {
	bus := eventbus.New(nil, trace)
	bus.Intercept(trace)
	bus.Register("a", "b", func(ctx context.Context, d eventbus.Data) error { return nil }, trace)
	if err := bus.Publish(context.Background(), eventbus.MustData("a", "b", nil)); err != nil {
		log.Fatal(err)
	}
}
