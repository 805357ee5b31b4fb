// Events through a channel to one publisher.
package main

import (
	"context"
	"log"

	"bus.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("log", "rotated", h)
	events := make(chan eventbus.Data)
	go func() {
		defer close(events)
		events <- eventbus.MustData("log", "rotated", nil)
	}()
	for d := range events {
		if err := bus.Publish(context.Background(), d); err != nil {
			log.Print(err)
		}
	}
}
