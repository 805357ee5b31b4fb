// Package user makes its events in helpers.
package user

import (
	"context"

	"bus.test/eventbus"
	"corpus.test/good/packages/names"
)

type created struct {
	ID string `json:"id"`
}

func CreatedData(id string) eventbus.Data {
	return eventbus.MustData(names.User, names.Created, created{id})
}

func ActionDeletedData(id string) (eventbus.Data, error) {
	return eventbus.NewData(names.User, names.Past("delet"), map[string]string{"id": id})
}

func Wire(bus *eventbus.Bus) { bus.Register(names.Orders.Domain, names.Orders.Placed, onPlaced) }

func onPlaced(ctx context.Context, d eventbus.Data) error { return nil }
