// A handler that is a method, and registers with On.
package main

import (
	"context"

	"bus.test/eventbus"
)

type hub struct{ bus *eventbus.Bus }

type joined struct{ Room string }

func (h *hub) onJoined(ctx context.Context, j joined) error {
	_ = eventbus.On(h.bus, "room", "closed", h.onClosed) // want: warning late
	return nil
}

func (h *hub) onClosed(ctx context.Context, _ struct{}) error { return nil }

func main() {
	h := &hub{eventbus.New(nil)}
	eventbus.On(h.bus, "room", "joined", h.onJoined)
	_ = h.bus.Publish(context.Background(), eventbus.MustData("room", "joined", joined{"x"}))
	_ = h.bus.Publish(context.Background(), eventbus.MustData("room", "closed", nil))
}
