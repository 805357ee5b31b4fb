// The same, in order of the keys.
package main

import (
	"context"
	"maps"
	"slices"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

var handlers = map[string]eventbus.Func{"opened": h, "closed": h}

func main() {
	bus := eventbus.New(nil)
	for _, k := range slices.Sorted(maps.Keys(handlers)) {
		bus.Register("door", k, handlers[k])
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("door", "opened", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("door", "closed", nil))
}
