// Package jobs is shared.
package jobs

import (
	"context"

	"bus.test/eventbus"
)

func Queued() eventbus.Data {
	return eventbus.MustData("job", "queued", nil) // want: warning unhandled
}

func Wire(bus *eventbus.Bus) {
	bus.Register("job", "queued", func(ctx context.Context, d eventbus.Data) error { return nil })
}
