// The classic: two letters swapped where the event is made.
package main

import (
	"context"

	"bus.test/eventbus"
)

type User struct {
	ID string `json:"id"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, u User) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "craeted", User{})) // want: error unhandled
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", User{}))
}
