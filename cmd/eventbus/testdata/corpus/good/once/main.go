// Registered once, at the first request.
package main

import (
	"context"
	"log"
	"net/http"
	"sync"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	var once sync.Once
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			bus.Register("page", "viewed", func(ctx context.Context, d eventbus.Data) error { return nil })
		})
		if err := bus.Publish(r.Context(), eventbus.MustData("page", "viewed", nil)); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":0", nil))
}
