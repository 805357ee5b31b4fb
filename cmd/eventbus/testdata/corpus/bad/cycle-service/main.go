// A circle through a service behind an interface, in a goroutine.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

type notifier interface{ Notify(ctx context.Context) }

type service struct{ bus *eventbus.Bus }

func (s *service) Notify(ctx context.Context) {
	go func() {
		if err := s.bus.Publish(ctx, eventbus.MustData("mail", "sent", nil)); err != nil { // want: error cycle
			log.Print(err)
		}
	}()
}

type module struct{ n notifier }

func (m *module) on(ctx context.Context, d eventbus.Data) error {
	m.n.Notify(ctx)
	return nil
}

func main() {
	bus := eventbus.New(nil)
	m := &module{n: &service{bus}}
	bus.Register("mail", "sent", m.on)
	m.n.Notify(context.Background())
}
