// The slip is in the registration: reported once, where the event is made.
package main

import (
	"context"

	"bus.test/eventbus"
)

func onPaid(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("order", "piad", onPaid)
	d, err := eventbus.NewData("order", "paid", nil) // want: error unhandled
	if err != nil {
		panic(err)
	}
	if err := bus.Call(context.Background(), d); err != nil {
		panic(err)
	}
}
