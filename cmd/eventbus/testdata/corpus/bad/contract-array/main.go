// One value where a list is read.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Tags string `json:"tags"`
}

type Read struct {
	Tags []string `json:"tags"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
