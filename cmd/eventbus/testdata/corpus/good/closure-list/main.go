// Closures in a list, each with a name of its own.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	var steps []func() error
	for _, a := range []string{"one", "two"} {
		bus.Register("step", a, func(ctx context.Context, d eventbus.Data) error { return nil })
		steps = append(steps, func() error {
			return bus.Publish(context.Background(), eventbus.MustData("step", a, nil))
		})
	}
	for _, s := range steps {
		if err := s(); err != nil {
			log.Fatal(err)
		}
	}
}
