// An answer to a question that nobody asks.
package main

import (
	"context"

	"bus.test/eventbus"
	"bus.test/eventbus/reply"
)

func main() {
	bus := eventbus.New(nil)
	reply.On(bus, "user", "find", func(ctx context.Context, q struct{ ID int }) (string, error) { return "", nil }) // want: warning undispatched
}
