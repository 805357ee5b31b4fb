// Package txn stands in for a buffer of events beside the bus.
package txn

import (
	"context"

	"bus.test/eventbus"
)

type Buffer struct {
	bus    *eventbus.Bus
	events []eventbus.Data
}

func NewBuffer(bus *eventbus.Bus) *Buffer { return &Buffer{bus: bus} }

func (b *Buffer) Add(data eventbus.Data) error {
	b.events = append(b.events, data)
	return nil
}

func (b *Buffer) Commit(ctx context.Context) error {
	for _, data := range b.events {
		if err := b.bus.Call(ctx, data); err != nil {
			return err
		}
	}
	return nil
}
