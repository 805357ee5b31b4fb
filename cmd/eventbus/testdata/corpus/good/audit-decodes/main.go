// An audit that takes from each event what it has.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func audit(ctx context.Context, d eventbus.Data) error {
	v, err := eventbus.Decode[struct{ ID string }](d)
	if err != nil {
		return err
	}
	log.Println(d.Domain, v.ID)
	return nil
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register(eventbus.Any, eventbus.Any, audit)
	bus.Register("user", "created", h)
	bus.Register("feature", "enabled", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", struct{ ID string }{"1"}))
	_ = bus.Publish(context.Background(), eventbus.MustData("feature", "enabled", struct{ Name string }{"x"}))
}
