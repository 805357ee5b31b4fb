// One handler for a domain, which looks at the action.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Created struct{ Name string }
type Renamed struct{ From, To string }

func on(ctx context.Context, d eventbus.Data) error {
	switch d.Action {
	case "created":
		_, err := eventbus.Decode[Created](d)
		return err
	case "renamed":
		_, err := eventbus.Decode[Renamed](d)
		return err
	}
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("repo", eventbus.Any, on)
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "created", Created{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "renamed", Renamed{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "deleted", nil))
}
