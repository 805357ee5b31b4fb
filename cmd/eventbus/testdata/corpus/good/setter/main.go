// A domain that is set after the fact.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

type svc struct {
	bus    *eventbus.Bus
	domain string
}

func (s *svc) setDomain(d string) { s.domain = d }

func (s *svc) done() error {
	return s.bus.Publish(context.Background(), eventbus.MustData(s.domain, "done", nil))
}

func main() {
	s := &svc{bus: eventbus.New(nil)}
	s.setDomain("export")
	s.bus.Register("export", "done", func(ctx context.Context, d eventbus.Data) error { return nil })
	if err := s.done(); err != nil {
		log.Fatal(err)
	}
}
