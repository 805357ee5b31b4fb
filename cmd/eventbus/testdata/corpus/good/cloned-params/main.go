// A handler that writes to its own copy.
package main

import (
	"bytes"
	"context"

	"bus.test/eventbus"
)

func on(ctx context.Context, d eventbus.Data) error {
	own := bytes.Clone(d.RawParams)
	own[0] = 'x'
	d.RawParams = append([]byte(nil), d.RawParams...)
	d.RawParams[0] = 'y'
	buf := make([]byte, len(own))
	copy(buf, d.RawParams)
	buf[0] = 'z'
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
