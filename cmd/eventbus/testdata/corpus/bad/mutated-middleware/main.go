// A middleware that masks the params for all.
package main

import (
	"bytes"
	"context"

	"bus.test/eventbus"
)

func mask(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		i := bytes.IndexByte(d.RawParams, '"')
		if i >= 0 {
			d.RawParams[i] = '*' // want: error mutated
		}
		return next(ctx, d)
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil, mask)
	bus.Register("a", "b", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
