// Package library has no main: all it has counts.
package library

import (
	"context"

	"bus.test/eventbus"
)

func Wire(bus *eventbus.Bus) {
	bus.Register("file", "saved", func(ctx context.Context, d eventbus.Data) error { return nil })
}

func Save(ctx context.Context, bus *eventbus.Bus) error {
	return bus.Publish(ctx, eventbus.MustData("file", "svaed", nil)) // want: error unhandled
}
