// Names are constants.
package main

import (
	"context"

	"bus.test/eventbus"
)

const (
	domain  = "user"
	created = "created"
)

type Action string

const Deleted Action = "deleted"

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register(domain, created, h)
	bus.Register(domain, string(Deleted), h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "deleted", nil))
}
