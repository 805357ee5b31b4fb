// Params encoded by hand into a Data.
package main

import (
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type Done struct {
	Took string `json:"took"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "job", "done", func(ctx context.Context, v struct{ Took int }) error { return nil }) // want: error contract
	raw, err := json.Marshal(Done{"1s"})
	if err != nil {
		panic(err)
	}
	_ = bus.Publish(context.Background(), eventbus.Data{Domain: "job", Action: "done", RawParams: raw})
}
