// A dispatch within a function handed to a helper.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func retry(n int, f func() error) (err error) {
	for range n {
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "done", func(ctx context.Context, d eventbus.Data) error {
		return retry(3, func() error { return bus.Call(ctx, eventbus.MustData("b", "done", nil)) })
	})
	bus.Register("b", "done", func(ctx context.Context, d eventbus.Data) error {
		return retry(3, func() error { return nil })
	})
	if err := retry(2, func() error { return bus.Call(context.Background(), eventbus.MustData("a", "done", nil)) }); err != nil {
		log.Fatal(err)
	}
}
