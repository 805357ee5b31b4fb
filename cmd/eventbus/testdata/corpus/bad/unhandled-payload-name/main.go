// A payload that says it is called something nobody handles.
package main

import (
	"context"

	"bus.test/eventbus"
)

type named interface {
	EventName() (domain, action string)
}

type Created struct{}

func (Created) EventName() (string, string) { return "user", "creatd" }

func publish(ctx context.Context, bus *eventbus.Bus, v named) error {
	domain, action := v.EventName()
	return bus.Publish(ctx, eventbus.MustData(domain, action, v))
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	_ = publish(context.Background(), bus, Created{}) // want: error unhandled
}
