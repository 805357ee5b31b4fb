// An embedded struct lends its fields; one is missing all the same.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Base struct {
	ID string `json:"id"`
}

type Made struct {
	Base
	Name string `json:"name"`
}

type Read struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

func on(ctx context.Context, d eventbus.Data) error {
	_, err := eventbus.Decode[Read](d) // want: error contract
	return err
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("repo", "pushed", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("repo", "pushed", Made{}))
}
