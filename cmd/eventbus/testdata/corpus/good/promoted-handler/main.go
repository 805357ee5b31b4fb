// A handler promoted from an embedded struct, and embedded interfaces.
package main

import (
	"context"

	"bus.test/eventbus"
)

type base struct{}

func (base) Handle(ctx context.Context, d eventbus.Data) error { return nil }

type users struct {
	base
	events
}

type events interface {
	Publish(ctx context.Context, d eventbus.Data) error
}

func main() {
	bus := eventbus.New(nil)
	u := users{events: bus}
	bus.Register("user", "created", u.Handle)
	if err := u.Publish(context.Background(), eventbus.MustData("user", "created", nil)); err != nil {
		panic(err)
	}
}
