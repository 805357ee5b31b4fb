// A handler of a domain whose case reads what is not written.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Created struct{ Name string }

func on(ctx context.Context, d eventbus.Data) error {
	switch d.Action {
	case "created", "restored":
		_, err := eventbus.Decode[struct{ Name, Owner string }](d) // want: error contract error contract
		return err
	}
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("repo", eventbus.Any, on)
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "created", Created{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "restored", Created{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "deleted", nil))
}
