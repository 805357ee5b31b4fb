// A struct of events.
package main

import (
	"context"

	"bus.test/eventbus"
)

type User struct{ ID string }

var Events = struct {
	Created, Deleted eventbus.Event[User]
}{
	Created: eventbus.Event[User]{Domain: "user", Action: "created"},
	Deleted: eventbus.Event[User]{Domain: "user", Action: "deleted"},
}

func main() {
	bus := eventbus.New(nil)
	Events.Created.On(bus, func(ctx context.Context, u User) error { return nil })
	bus.Register("user", Events.Deleted.Action, func(ctx context.Context, d eventbus.Data) error {
		_, err := Events.Deleted.Decode(d)
		return err
	})
	_ = bus.Publish(context.Background(), Events.Created.Must(User{}))
	d, err := Events.Deleted.New(User{})
	if err != nil {
		panic(err)
	}
	_ = bus.Publish(context.Background(), d)
}
