// An outbox that dispatches what it is given does not hide a handler that nothing feeds.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

type outbox struct{ all []eventbus.Data }

func (o *outbox) add(d eventbus.Data) { o.all = append(o.all, d) }

func (o *outbox) flush(ctx context.Context, bus *eventbus.Bus) error {
	for _, d := range o.all {
		if err := bus.Publish(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("user", "forgotten", h) // want: warning undispatched
	var o outbox
	o.add(eventbus.MustData("user", "created", nil))
	if err := o.flush(context.Background(), bus); err != nil {
		log.Fatal(err)
	}
}
