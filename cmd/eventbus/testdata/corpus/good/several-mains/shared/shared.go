// Package shared is used by two programs.
package shared

import (
	"context"

	"bus.test/eventbus"
)

type Done struct{ ID string }

func Handle(ctx context.Context, d Done) error { return nil }

func Wire(bus *eventbus.Bus) { eventbus.On(bus, "job", "done", Handle) }

func Finish(ctx context.Context, bus *eventbus.Bus) error {
	return bus.Publish(ctx, eventbus.MustData("job", "done", Done{}))
}
