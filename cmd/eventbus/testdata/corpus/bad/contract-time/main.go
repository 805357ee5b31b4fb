// A time is written as text.
package main

import (
	"context"
	"time"

	"bus.test/eventbus"
)

type Made struct {
	At time.Time `json:"at"`
}

type Read struct {
	At int64 `json:"at"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
