// A question with a slip in its name, which nobody answers.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
	"bus.test/eventbus/reply"
)

type Find struct{ ID string }

type User struct{ Name string }

func find(ctx context.Context, q Find) (User, error) { return User{q.ID}, nil }

func main() {
	bus := eventbus.New(nil)
	reply.On(bus, "user", "find", find)
	u, err := reply.Ask[User](context.Background(), bus, eventbus.MustData("user", "fnid", Find{"1"})) // want: error unhandled
	fmt.Println(u, err)
}
