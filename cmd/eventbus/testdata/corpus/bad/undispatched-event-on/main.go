// Event.On of an event that is never made.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Closed struct{ Reason string }

var AccountClosed = eventbus.Event[Closed]{Domain: "account", Action: "closed"}

func main() {
	bus := eventbus.New(nil)
	AccountClosed.On(bus, func(ctx context.Context, c Closed) error { return nil }) // want: warning undispatched
}
