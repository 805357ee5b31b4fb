// Who answers a question asks it again.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
	"bus.test/eventbus/reply"
)

type Find struct{ ID string }

type User struct{ Name string }

type users struct{ bus *eventbus.Bus }

func (u users) find(ctx context.Context, q Find) (User, error) {
	return reply.Ask[User](ctx, u.bus, eventbus.MustData("user", "find", q)) // want: error cycle
}

func main() {
	bus := eventbus.New(nil)
	reply.On(bus, "user", "find", users{bus}.find)
	all, err := reply.Gather[User](context.Background(), bus, eventbus.MustData("user", "find", Find{"1"}))
	fmt.Println(all, err)
}
