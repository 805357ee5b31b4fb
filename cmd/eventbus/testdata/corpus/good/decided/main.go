// Errors that are looked at, or dropped by decision.
package main

import (
	"context"
	"errors"
	"log"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	d := eventbus.MustData("a", "b", nil)
	_ = bus.Publish(context.Background(), d)
	errc := make(chan error, 1)
	go func() { errc <- bus.Call(context.Background(), d) }()
	if err := errors.Join(<-errc, bus.Call(context.Background(), d)); err != nil {
		log.Print(err)
	}
	defer func() {
		if err := bus.Publish(context.Background(), d); err != nil {
			log.Print(err)
		}
	}()
}
