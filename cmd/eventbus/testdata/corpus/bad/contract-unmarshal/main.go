// json.Unmarshal on RawParams.
package main

import (
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type Sent struct {
	To []string `json:"to"`
}

func on(ctx context.Context, d eventbus.Data) error {
	var v struct {
		To string `json:"to"`
	}
	return json.Unmarshal(d.RawParams, &v) // want: error contract
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("mail", "sent", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("mail", "sent", Sent{}))
}
