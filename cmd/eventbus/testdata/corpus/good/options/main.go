// Names in options that functions set.
package main

import (
	"context"

	"bus.test/eventbus"
)

type options struct{ domain string }

type option func(*options)

func withDomain(d string) option { return func(o *options) { o.domain = d } }

type client struct {
	bus *eventbus.Bus
	o   options
}

func newClient(bus *eventbus.Bus, opts ...option) *client {
	o := options{domain: "default"}
	for _, opt := range opts {
		opt(&o)
	}
	return &client{bus, o}
}

func (c *client) done(ctx context.Context) error {
	return c.bus.Publish(ctx, eventbus.MustData(c.o.domain, "done", nil))
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("export", "done", h)
	bus.Register("default", "done", h)
	_ = newClient(bus, withDomain("export")).done(context.Background())
	_ = newClient(bus).done(context.Background())
}
