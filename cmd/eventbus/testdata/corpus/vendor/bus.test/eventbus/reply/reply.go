// Package reply stands in for questions and answers beside the bus.
package reply

import (
	"context"

	"bus.test/eventbus"
)

func On[Q, A any](b *eventbus.Bus, domain, action string, fn func(context.Context, Q) (A, error), mw ...eventbus.Middleware) (unregister func()) {
	h := eventbus.Handler{Domain: domain, Action: action}
	return b.Handle(h, func(ctx context.Context, data eventbus.Data) error {
		question, err := eventbus.Decode[Q](data)
		if err != nil {
			return err
		}
		_, err = fn(ctx, question)
		return err
	}, mw...)
}

func Ask[A any](ctx context.Context, b *eventbus.Bus, data eventbus.Data) (A, error) {
	var none A
	return none, ask(ctx, b, data, (*eventbus.Bus).Call)
}

func Gather[A any](ctx context.Context, b *eventbus.Bus, data eventbus.Data) ([]A, error) {
	return nil, ask(ctx, b, data, (*eventbus.Bus).Publish)
}

func ask(ctx context.Context, b *eventbus.Bus, data eventbus.Data, dispatch func(*eventbus.Bus, context.Context, eventbus.Data) error) error {
	return dispatch(b, ctx, data)
}
