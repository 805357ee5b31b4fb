// Event.Decode in a handler, against what another function makes by name.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Moved struct{ From, To string }

var CardMoved = eventbus.Event[Moved]{Domain: "card", Action: "moved"}

func on(ctx context.Context, d eventbus.Data) error {
	_, err := CardMoved.Decode(d) // want: error contract
	return err
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("card", "moved", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("card", "moved", struct{ From string }{"todo"}))
}
