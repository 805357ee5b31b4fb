// A constructor that registers, called for each request.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

type service struct{ bus *eventbus.Bus }

func newService(bus *eventbus.Bus) *service {
	s := &service{bus}
	eventbus.On(bus, "page", "viewed", s.onViewed) // want: warning late
	return s
}

func (s *service) onViewed(ctx context.Context, path string) error { return nil }

func main() {
	bus := eventbus.New(nil)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s := newService(bus)
		if err := s.bus.Publish(r.Context(), eventbus.MustData("page", "viewed", r.URL.Path)); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":0", nil))
}
