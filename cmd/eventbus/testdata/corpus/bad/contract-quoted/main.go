// A number in a string on one side.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	ID int64 `json:"id,string"`
}

type Read struct {
	ID int64 `json:"id"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
