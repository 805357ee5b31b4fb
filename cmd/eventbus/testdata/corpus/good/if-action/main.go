// A handler of several events that compares in its own ways.
package main

import (
	"context"

	"bus.test/eventbus"
)

const renamed = "renamed"

func on(ctx context.Context, d eventbus.Data) error {
	if d.Action != renamed {
		_, err := eventbus.Decode[struct{ ID string }](d)
		return err
	}
	_, err := eventbus.Decode[struct{ From, To string }](d)
	return err
}

func main() {
	bus := eventbus.New(nil)
	for _, a := range []string{"created", renamed} {
		bus.Register("repo", a, on)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "created", struct{ ID string }{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", renamed, struct{ From, To string }{}))
}
