// A helper that dispatches whatever it is given, and looks at the error.
package main

import (
	"context"
	"errors"
	"log"
	"sync"

	"bus.test/eventbus"
)

type outbox struct {
	mu  sync.Mutex
	all []eventbus.Data
}

func (o *outbox) add(d eventbus.Data) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, d)
}

func (o *outbox) flush(ctx context.Context, bus *eventbus.Bus) error {
	var errs []error
	for _, d := range o.all {
		errs = append(errs, bus.Publish(ctx, d))
	}
	o.all = nil
	return errors.Join(errs...)
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("user", "deleted", h)
	var o outbox
	o.add(eventbus.MustData("user", "created", nil))
	o.add(eventbus.MustData("user", "deleted", nil))
	if err := o.flush(context.Background(), bus); err != nil {
		log.Fatal(err)
	}
}
