// The worker makes and handles it.
package main

import (
	"context"

	"bus.test/eventbus"
	"corpus.test/bad/several-mains-one-unwired/jobs"
)

func main() {
	bus := eventbus.New(nil)
	jobs.Wire(bus)
	_ = bus.Publish(context.Background(), jobs.Queued())
}
