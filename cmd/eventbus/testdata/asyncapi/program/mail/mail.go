// Package mail writes to customers.
package mail

import (
	"context"

	"m.test/eventbus"
)

type service struct{}

// Wire registers the handlers.
func Wire(bus *eventbus.Bus) {
	s := &service{}
	eventbus.On(bus, "order", "placed", s.thank)
	bus.Register("order", "cancelled", s.regret)
	eventbus.On(bus, "payment", "failed", s.remind)
	bus.Register(eventbus.Any, eventbus.Any, func(ctx context.Context, d eventbus.Data) error { return nil })
}

// thank sends a confirmation.
func (s *service) thank(ctx context.Context, o struct {
	ID    string `json:"id"`
	Total int64  `json:"total"`
}) error {
	return nil
}

func (s *service) regret(ctx context.Context, d eventbus.Data) error { return nil }

// failure is what a bank tells.
type failure struct {
	Order  string // the order that isn't paid
	Reason string `json:"reason"`
}

// remind asks to pay in another way.
func (s *service) remind(ctx context.Context, f failure) error { return nil }
