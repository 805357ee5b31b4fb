// The worker handles what the others make.
package main

import (
	"context"

	"bus.test/eventbus"
	"corpus.test/good/several-mains/shared"
)

func main() {
	bus := eventbus.New(nil)
	shared.Wire(bus)
	_ = bus.Publish(context.Background(), eventbus.MustData("job", "done", shared.Done{ID: "1"}))
}
