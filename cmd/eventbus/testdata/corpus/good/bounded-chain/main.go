// A saga: each step sets off the next, and none the first.
package main

import (
	"context"

	"bus.test/eventbus"
)

type saga struct{ bus *eventbus.Bus }

func (s *saga) step(next string) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		return s.bus.Call(ctx, eventbus.Data{Domain: "saga", Action: next, RawParams: d.RawParams})
	}
}

func main() {
	s := &saga{eventbus.New(nil)}
	for _, e := range []struct{ on, next string }{{"started", "reserved"}, {"reserved", "charged"}, {"charged", "ended"}} {
		s.bus.Register("saga", e.on, s.step(e.next))
	}
	s.bus.Register("saga", "ended", func(ctx context.Context, d eventbus.Data) error { return nil })
	_ = s.bus.Call(context.Background(), eventbus.MustData("saga", "started", nil))
}
