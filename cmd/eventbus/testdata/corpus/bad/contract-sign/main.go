// A signed number read as unsigned.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Delta int `json:"delta"`
}

type Read struct {
	Delta uint `json:"delta"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: warning contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
