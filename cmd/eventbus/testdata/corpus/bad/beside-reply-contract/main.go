// Who answers reads another type than the question has.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
	"bus.test/eventbus/reply"
)

func main() {
	bus := eventbus.New(nil)
	reply.On(bus, "user", "find", func(ctx context.Context, q struct{ ID int }) (string, error) { return "", nil }) // want: error contract
	name, err := reply.Ask[string](context.Background(), bus, eventbus.MustData("user", "find", struct{ ID string }{"1"}))
	fmt.Println(name, err)
}
