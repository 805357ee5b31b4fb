// A function that serves HTTP in another form registers nothing for each request.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

type server struct {
	bus *eventbus.Bus
	mux *http.ServeMux
}

func newServer(bus *eventbus.Bus) *server {
	s := &server{bus, http.NewServeMux()}
	bus.Register("user", "created", s.onCreated)
	s.mux.HandleFunc("POST /users", s.create)
	return s
}

func (s *server) onCreated(ctx context.Context, d eventbus.Data) error { return nil }

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	if err := s.bus.Call(r.Context(), eventbus.MustData("user", "created", nil)); err != nil {
		http.Error(w, "no", http.StatusInternalServerError)
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func main() {
	log.Fatal(http.ListenAndServe(":0", newServer(eventbus.New(nil))))
}
