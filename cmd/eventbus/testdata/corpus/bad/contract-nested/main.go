// A kind that differs deep inside.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	User struct {
		Age string
	}
}

type Read struct {
	User struct {
		Age int
	}
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
