// Another program with events of its own, under the same names.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
	"corpus.test/good/several-mains/shared"
)

func main() {
	bus := eventbus.New(nil)
	shared.Wire(bus)
	if err := shared.Finish(context.Background(), bus); err != nil {
		log.Fatal(err)
	}
}
