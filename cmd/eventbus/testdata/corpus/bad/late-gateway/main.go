// A gateway that registers in an HTTP middleware.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

type gateway struct{ bus *eventbus.Bus }

func (g *gateway) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.bus.Register("request", "ended", func(ctx context.Context, d eventbus.Data) error { return nil }) // want: warning late
		next.ServeHTTP(w, r)
		if err := g.bus.Publish(r.Context(), eventbus.MustData("request", "ended", nil)); err != nil {
			log.Print(err)
		}
	})
}

func main() {
	g := &gateway{eventbus.New(nil)}
	log.Fatal(http.ListenAndServe(":0", g.wrap(http.NotFoundHandler())))
}
