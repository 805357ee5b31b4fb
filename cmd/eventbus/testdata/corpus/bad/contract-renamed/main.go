// A tag with another name.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Email string `json:"email"`
}

type Read struct {
	Email string `json:"e_mail"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil }) // want: error contract
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Made{}))
}
