package library

import (
	"context"

	"bus.test/eventbus"
)

func load(ctx context.Context, bus *eventbus.Bus, d eventbus.Data) {
	bus.Publish(ctx, d) // want: error dropped
}
