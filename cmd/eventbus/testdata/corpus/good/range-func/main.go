// Tables walked by iterators of the library.
package main

import (
	"context"
	"maps"
	"slices"

	"bus.test/eventbus"
)

type route struct {
	action string
	fn     eventbus.Func
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	routes := []route{{"made", h}, {"sold", h}}
	for r := range slices.Values(routes) {
		bus.Register("thing", r.action, r.fn)
	}
	for action, fn := range maps.All(map[string]eventbus.Func{"lent": h}) {
		bus.Register("thing", action, fn)
	}
	_ = bus.Publish(context.Background(), eventbus.MustData("thing", "made", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("thing", "sold", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("thing", "lent", nil))
}
