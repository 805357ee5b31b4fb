// A question whose answerer reads less than it is given, and asks another.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
	"bus.test/eventbus/reply"
)

type Find struct {
	ID   string `json:"id"`
	Full bool   `json:"full"`
}

type User struct{ Name string }

func wire(bus *eventbus.Bus) {
	reply.On(bus, "user", "find", func(ctx context.Context, q struct {
		ID string `json:"id"`
	}) (User, error) {
		name, err := reply.Ask[string](ctx, bus, eventbus.MustData("name", "of", q.ID))
		return User{name}, err
	})
	reply.On(bus, "name", "of", func(ctx context.Context, id string) (string, error) { return "n" + id, nil })
}

func main() {
	bus := eventbus.New(nil)
	wire(bus)
	u, err := reply.Ask[User](context.Background(), bus, eventbus.MustData("user", "find", Find{ID: "1"}))
	fmt.Println(u, err)
}
