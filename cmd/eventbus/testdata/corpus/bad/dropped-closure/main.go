// In a goroutine of its own.
package main

import (
	"context"
	"sync"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	var wg sync.WaitGroup
	wg.Go(func() {
		(bus).Call(context.Background(), eventbus.MustData("a", "b", nil)) // want: error dropped
	})
	wg.Wait()
}
