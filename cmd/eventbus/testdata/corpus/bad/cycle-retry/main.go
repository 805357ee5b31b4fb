// A circle through a helper that runs what it is given.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
)

func safely(f func() error) error {
	if err := f(); err != nil {
		return fmt.Errorf("safely: %w", err)
	}
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "done", func(ctx context.Context, d eventbus.Data) error {
		return safely(func() error { return bus.Call(ctx, eventbus.MustData("b", "done", nil)) }) // want: error cycle
	})
	bus.Register("b", "done", func(ctx context.Context, d eventbus.Data) error {
		return safely(func() error { return bus.Call(ctx, eventbus.MustData("a", "done", nil)) })
	})
	_ = bus.Call(context.Background(), eventbus.MustData("a", "done", nil))
}
