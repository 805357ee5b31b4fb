// The event is handled in the worker, and not in the program that makes it.
package main

import (
	"context"

	"bus.test/eventbus"
	"corpus.test/bad/several-mains-one-unwired/jobs"
)

func main() {
	bus := eventbus.New(nil)
	_ = bus.Publish(context.Background(), jobs.Queued()) // the data is made in package jobs
}
