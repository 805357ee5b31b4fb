// The same through a helper that returns what takes it back.
package main

import (
	"context"
	"log"
	"net/http"

	"bus.test/eventbus"
)

func subscribe(bus *eventbus.Bus, fn eventbus.Func) (cancel func()) {
	return bus.Register("job", "done", fn)
}

func main() {
	bus := eventbus.New(nil)
	http.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		defer subscribe(bus, func(ctx context.Context, d eventbus.Data) error { return nil })()
		<-r.Context().Done()
	})
	_ = bus.Publish(context.Background(), eventbus.MustData("job", "done", nil))
	log.Fatal(http.ListenAndServe(":0", nil))
}
