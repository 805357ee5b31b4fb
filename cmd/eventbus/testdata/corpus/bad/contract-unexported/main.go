// A field that is not exported is not written.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	email string
	Name  string
}

type Read struct {
	Email string
	Name  string
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
