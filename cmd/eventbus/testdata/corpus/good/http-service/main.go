// Services behind HTTP handlers that are method values.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

type api struct{ svc *service }

type service struct{ events emitter }

type emitter interface {
	Emit(ctx context.Context, action string, v any) error
}

type busEmitter struct {
	bus    *eventbus.Bus
	domain string
}

func (e busEmitter) Emit(ctx context.Context, action string, v any) error {
	d, err := eventbus.NewData(e.domain, action, v)
	if err != nil {
		return err
	}
	return e.bus.Publish(ctx, d)
}

func (a *api) create(w http.ResponseWriter, r *http.Request) {
	if err := a.svc.create(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *service) create(ctx context.Context) error {
	return s.events.Emit(ctx, "created", map[string]string{"id": "1"})
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, u struct{ ID string }) error { return nil })
	a := &api{&service{busEmitter{bus, "user"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", a.create)
	log.Fatal(http.ListenAndServe(":0", mux))
}
