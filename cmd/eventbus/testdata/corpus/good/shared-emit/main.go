// A helper that publishes many events does not tie them together.
package main

import (
	"context"

	"bus.test/eventbus"
)

type svc struct{ bus *eventbus.Bus }

func (s *svc) emit(ctx context.Context, action string) error {
	return s.bus.Publish(ctx, eventbus.MustData("step", action, nil))
}

func (s *svc) first(ctx context.Context, d eventbus.Data) error  { return s.emit(ctx, "second") }
func (s *svc) second(ctx context.Context, d eventbus.Data) error { return s.emit(ctx, "third") }
func (s *svc) third(ctx context.Context, d eventbus.Data) error  { return nil }

func main() {
	s := &svc{eventbus.New(nil)}
	s.bus.Register("step", "first", s.first)
	s.bus.Register("step", "second", s.second)
	s.bus.Register("step", "third", s.third)
	_ = s.emit(context.Background(), "first")
}
