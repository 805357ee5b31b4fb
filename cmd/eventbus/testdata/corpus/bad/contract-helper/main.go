// The handler hands the data to a function that decodes it.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Sent struct{ Count int }

func parse(d eventbus.Data) (int, error) {
	v, err := eventbus.Decode[struct{ Count, Size int }](d) // want: error contract
	return v.Size, err
}

func on(ctx context.Context, d eventbus.Data) error {
	_, err := parse(d)
	return err
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("mail", "sent", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("mail", "sent", Sent{}))
}
