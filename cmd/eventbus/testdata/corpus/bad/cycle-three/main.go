// Three events, through helpers, and errors that are looked at on the way.
package main

import (
	"context"

	"bus.test/eventbus"
)

type svc struct{ bus *eventbus.Bus }

func (s svc) emit(ctx context.Context, action string) error {
	d, err := eventbus.NewData("ring", action, nil)
	if err != nil {
		return err
	}
	return s.bus.Publish(ctx, d) // want: error cycle
}

func (s svc) one(ctx context.Context, d eventbus.Data) error   { return s.emit(ctx, "two") }
func (s svc) two(ctx context.Context, d eventbus.Data) error   { return s.emit(ctx, "three") }
func (s svc) three(ctx context.Context, d eventbus.Data) error { return s.emit(ctx, "one") }

func main() {
	s := svc{eventbus.New(nil)}
	s.bus.Register("ring", "one", s.one)
	s.bus.Register("ring", "two", s.two)
	s.bus.Register("ring", "three", s.three)
	_ = s.emit(context.Background(), "one")
}
