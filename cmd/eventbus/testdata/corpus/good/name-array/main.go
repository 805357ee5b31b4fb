// Names in an array, by a number.
package main

import (
	"context"

	"bus.test/eventbus"
)

type kind int

const (
	opened kind = iota
	closed
)

var names = [...]string{opened: "opened", closed: "closed"}

func (k kind) String() string { return names[k] }

func emit(bus *eventbus.Bus, k kind) error {
	return bus.Publish(context.Background(), eventbus.MustData("door", k.String(), nil))
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("door", "opened", h)
	bus.Register("door", "closed", h)
	_ = emit(bus, opened)
	_ = emit(bus, closed)
}
