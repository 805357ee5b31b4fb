// Package queue stands in for a queue beside the bus.
package queue

import (
	"context"
	"time"

	"bus.test/eventbus"
)

type Queue struct{ jobs chan eventbus.Data }

type Timer struct{}

func New() *Queue { return &Queue{} }

func (q *Queue) Publish(ctx context.Context, bus *eventbus.Bus, data eventbus.Data) error {
	return bus.Publish(ctx, data)
}

func (q *Queue) Call(ctx context.Context, bus *eventbus.Bus, data eventbus.Data) error {
	q.jobs <- data
	return nil
}

func (q *Queue) After(ctx context.Context, d time.Duration, fn eventbus.Func, data eventbus.Data) (*Timer, error) {
	q.jobs <- data
	return &Timer{}, nil
}

func (q *Queue) Async() eventbus.Middleware {
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			q.jobs <- data
			return nil
		}
	}
}
