// A comment without a reason.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	// want+1: warning ignore
	//eventbus:ignore unhandled
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", nil))
}
