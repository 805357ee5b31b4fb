// An Event shared as a variable, made where Must is called.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Paid struct{ Amount int }

var (
	Registered = eventbus.Event[Paid]{Domain: "billing", Action: "paid"}
	Wrong      = eventbus.Event[Paid]{Domain: "biling", Action: "paid"}
)

func main() {
	bus := eventbus.New(nil)
	Registered.On(bus, func(ctx context.Context, p Paid) error { return nil })
	_ = bus.Call(context.Background(), Registered.Must(Paid{1}))
	_ = bus.Call(context.Background(), Wrong.Must(Paid{2})) // want: error unhandled
}
