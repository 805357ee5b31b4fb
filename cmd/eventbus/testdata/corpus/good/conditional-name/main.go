// One of two names.
package main

import (
	"context"
	"os"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func toggle(bus *eventbus.Bus, on bool) error {
	action := "disabled"
	if on {
		action = "enabled"
	}
	return bus.Publish(context.Background(), eventbus.MustData("feature", action, nil))
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("feature", "enabled", h)
	bus.Register("feature", "disabled", h)
	_ = toggle(bus, len(os.Args) > 1)
}
