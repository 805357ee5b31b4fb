// Text on one side, a number on the other.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	ID string `json:"id"`
}

type Read struct {
	ID int `json:"id"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
