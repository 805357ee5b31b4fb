// Elements of another kind.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	IDs []int `json:"ids"`
}

type Read struct {
	IDs []string `json:"ids"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
