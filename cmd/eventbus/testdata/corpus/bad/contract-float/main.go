// A fraction read as a whole number.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Price float64 `json:"price"`
}

type Read struct {
	Price int64 `json:"price"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: warning contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
