// A number that may not fit.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Total int64 `json:"total"`
}

type Read struct {
	Total int32 `json:"total"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: warning contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
