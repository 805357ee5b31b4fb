// Names, helpers and wiring in packages of their own, and a test file that counts for nothing.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
	"corpus.test/good/packages/names"
	"corpus.test/good/packages/user"
)

func onUser(ctx context.Context, d eventbus.Data) error {
	_, err := eventbus.Decode[struct{ ID string }](d)
	return err
}

func main() {
	bus := eventbus.New(nil)
	user.Wire(bus)
	bus.Register("user", "created", onUser)
	bus.Register("user", "deleted", onUser)
	_ = bus.Publish(context.Background(), user.CreatedData("1"))
	d, err := user.ActionDeletedData("1")
	if err != nil {
		log.Fatal(err)
	}
	_ = bus.Publish(context.Background(), d)
	_ = bus.Publish(context.Background(), eventbus.MustData(names.Orders.Domain, names.Orders.Placed, nil))
}
