// A field missing in the elements of a list.
package main

import (
	"bytes"
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type Line struct {
	SKU string `json:"sku"`
}

type Placed struct {
	Lines []Line `json:"lines"`
}

func on(ctx context.Context, d eventbus.Data) error {
	var v struct {
		Lines []struct {
			SKU   string `json:"sku"`
			Count int    `json:"count"`
		} `json:"lines"`
	}
	if err := json.NewDecoder(bytes.NewReader(d.RawParams)).Decode(&v); err != nil { // want: error contract
		return err
	}
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("order", "placed", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "placed", Placed{}))
}
