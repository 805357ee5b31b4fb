// A comment with a reason silences its line or the next.
package main

import (
	"context"

	"bus.test/eventbus"
)

func main() {
	bus := eventbus.New(nil)
	//eventbus:ignore unhandled the handler comes with the next release
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "invited", nil))
	bus.Publish(context.Background(), eventbus.MustData("user", "moved", nil)) //eventbus:ignore dropped,unhandled both are known
}
