// Numbers that fit.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	A int32
	B uint8
	C float32
	D int
	E int64 `json:",string"`
	F []byte
}

type Read struct {
	A int64
	B int
	C float64
	D float64
	E string
	F string
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "n", "counted", func(ctx context.Context, r Read) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("n", "counted", Made{}))
}
