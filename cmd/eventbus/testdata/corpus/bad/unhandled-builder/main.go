// A builder of events, with a slip.
package main

import (
	"context"

	"bus.test/eventbus"
)

type event struct {
	domain, action string
	params         any
}

func user(action string) event { return event{domain: "user", action: action} }

func (e event) with(v any) event {
	e.params = v
	return e
}

func (e event) publish(ctx context.Context, bus *eventbus.Bus) error {
	return bus.Publish(ctx, eventbus.MustData(e.domain, e.action, e.params))
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "promoted", h)
	_ = user("promoted").with(1).publish(context.Background(), bus)
	_ = user("prmoted").with(1).publish(context.Background(), bus) // want: error unhandled
}
