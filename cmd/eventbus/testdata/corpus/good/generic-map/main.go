// A generic type with a table of handlers.
package main

import (
	"context"

	"bus.test/eventbus"
)

type router[K ~string] struct {
	domain   string
	handlers map[K]eventbus.Func
}

func (r router[K]) Wire(bus *eventbus.Bus) {
	for k, fn := range r.handlers {
		bus.Register(r.domain, string(k), fn)
	}
}

type action string

const created action = "created"

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	router[action]{"user", map[action]eventbus.Func{created: h}}.Wire(bus)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", string(created), nil))
}
