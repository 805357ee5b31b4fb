// A generic repository that publishes for its type.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Repo[T any] struct {
	bus     *eventbus.Bus
	created eventbus.Event[T]
	deleted eventbus.Event[T]
}

func NewRepo[T any](bus *eventbus.Bus, domain string) *Repo[T] {
	return &Repo[T]{
		bus:     bus,
		created: eventbus.Event[T]{Domain: domain, Action: "created"},
		deleted: eventbus.Event[T]{Domain: domain, Action: "deleted"},
	}
}

func (r *Repo[T]) Add(ctx context.Context, v T) error { return r.bus.Publish(ctx, r.created.Must(v)) }
func (r *Repo[T]) Delete(ctx context.Context, v T) error {
	return r.bus.Publish(ctx, r.deleted.Must(v))
}

type User struct{ Name string }
type Order struct{ Total int }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, u User) error { return nil })
	eventbus.On(bus, "user", "deleted", func(ctx context.Context, u User) error { return nil })
	eventbus.On(bus, "order", "created", func(ctx context.Context, o Order) error { return nil })
	eventbus.On(bus, "order", "deleted", func(ctx context.Context, o Order) error { return nil })
	users, orders := NewRepo[User](bus, "user"), NewRepo[Order](bus, "order")
	_ = users.Add(context.Background(), User{})
	_ = users.Delete(context.Background(), User{})
	_ = orders.Add(context.Background(), Order{})
	_ = orders.Delete(context.Background(), Order{})
}
