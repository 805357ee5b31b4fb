// Kept in a struct, and written to later.
package main

import (
	"context"

	"bus.test/eventbus"
)

type job struct{ raw []byte }

func (j *job) mask() { j.raw[0] = '*' }

func on(ctx context.Context, d eventbus.Data) error {
	j := job{raw: d.RawParams}
	j.raw[0] = '*' // want: error mutated
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
