// Handle, with a name of its own.
package main

import (
	"context"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "report", Action: "printed", Name: "printer"}, h) // want: warning undispatched
}
