// Functions that choose among events.
package main

import (
	"context"
	"os"

	"bus.test/eventbus"
)

func forStatus(status string) (eventbus.Data, bool) {
	switch status {
	case "ok":
		return eventbus.MustData("job", "done", nil), true
	case "bad":
		return eventbus.MustData("job", "failed", status), true
	default:
		return eventbus.Data{}, false
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("job", "done", h)
	bus.Register("job", "failed", h)
	if d, ok := forStatus(os.Args[1]); ok {
		_ = bus.Publish(context.Background(), d)
	}
}
