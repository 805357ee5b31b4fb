// An HTTP handler that registers and unregisters.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	http.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		done := make(chan struct{}, 1)
		unregister := bus.Register("job", "done", func(ctx context.Context, d eventbus.Data) error {
			done <- struct{}{}
			return nil
		})
		defer unregister()
		<-done
	})
	http.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
		if err := bus.Publish(r.Context(), eventbus.MustData("job", "done", nil)); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":0", nil))
}
