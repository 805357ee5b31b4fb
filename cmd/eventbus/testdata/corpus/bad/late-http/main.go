// An HTTP handler that registers for each request.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

type server struct{ bus *eventbus.Bus }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.bus.Register("user", "seen", func(ctx context.Context, d eventbus.Data) error { return nil }) // want: warning late
	if err := s.bus.Publish(r.Context(), eventbus.MustData("user", "seen", nil)); err != nil {
		http.Error(w, "no", http.StatusInternalServerError)
	}
}

func main() {
	log.Fatal(http.ListenAndServe(":0", &server{eventbus.New(nil)}))
}
