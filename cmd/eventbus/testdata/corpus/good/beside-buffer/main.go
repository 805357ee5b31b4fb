// Events kept in a buffer: what was added is dispatched by the one who commits.
package main

import (
	"context"

	"bus.test/eventbus"
	"bus.test/eventbus/txn"
)

type placed struct{ ID, Total int }

func checkout(ctx context.Context, events *txn.Buffer) error {
	d, err := eventbus.NewData("order", "placed", placed{1, 2})
	if err != nil {
		return err
	}
	return events.Add(d)
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "placed", func(ctx context.Context, p struct{ ID int }) error { return nil })
	events := txn.NewBuffer(bus)
	if err := checkout(context.Background(), events); err != nil {
		panic(err)
	}
	if err := events.Commit(context.Background()); err != nil {
		panic(err)
	}
}
