// An interface with a double beside the bus.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

type publisher interface {
	Publish(ctx context.Context, d eventbus.Data) error
}

type recorder struct{ all []eventbus.Data }

func (r *recorder) Publish(ctx context.Context, d eventbus.Data) error {
	r.all = append(r.all, d)
	return nil
}

func send(p publisher) error {
	return p.Publish(context.Background(), eventbus.MustData("user", "created", nil))
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", func(ctx context.Context, d eventbus.Data) error { return nil })
	for _, p := range []publisher{bus, &recorder{}} {
		if err := send(p); err != nil {
			log.Fatal(err)
		}
	}
}
