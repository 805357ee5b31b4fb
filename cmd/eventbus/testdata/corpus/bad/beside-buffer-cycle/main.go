// A handler adds its own event to a buffer that is committed later.
package main

import (
	"context"

	"bus.test/eventbus"
	"bus.test/eventbus/txn"
)

func main() {
	bus := eventbus.New(nil)
	buf := txn.NewBuffer(bus)
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		return buf.Add(eventbus.MustData("order", "placed", nil)) // want: error cycle
	})
	_ = buf.Add(eventbus.MustData("order", "placed", nil))
	_ = buf.Commit(context.Background())
}
