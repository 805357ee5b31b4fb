// A circle on failure only: a condition.
package main

import (
	"context"
	"errors"

	"bus.test/eventbus"
)

type app struct{ bus *eventbus.Bus }

func work() error { return errors.New("no") }

func (a *app) run(ctx context.Context, d eventbus.Data) error {
	if err := work(); err != nil {
		return a.bus.Publish(ctx, eventbus.MustData("job", "retried", nil)) // want: warning cycle
	}
	return nil
}

func (a *app) again(ctx context.Context, d eventbus.Data) error {
	return a.bus.Publish(ctx, eventbus.MustData("job", "queued", nil))
}

func main() {
	a := &app{eventbus.New(nil)}
	a.bus.Register("job", "queued", a.run)
	a.bus.Register("job", "retried", a.again)
	_ = a.bus.Publish(context.Background(), eventbus.MustData("job", "queued", nil))
}
