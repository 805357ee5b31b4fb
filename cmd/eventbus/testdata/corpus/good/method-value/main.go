// Method values as handlers and as publishers.
package main

import (
	"context"

	"bus.test/eventbus"
)

type mailer struct{ sent int }

func (m *mailer) Welcome(ctx context.Context, d eventbus.Data) error { m.sent++; return nil }

type service struct {
	publish func(context.Context, eventbus.Data) error
}

func (s *service) signUp(ctx context.Context) error {
	return s.publish(ctx, eventbus.MustData("user", "created", nil))
}

func main() {
	bus := eventbus.New(nil)
	m := &mailer{}
	bus.Register("user", "created", m.Welcome)
	s := &service{publish: bus.Publish}
	if err := s.signUp(context.Background()); err != nil {
		panic(err)
	}
}
