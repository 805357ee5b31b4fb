// A middleware that hands on params of its own.
package main

import (
	"bytes"
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

func compact(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		var buf bytes.Buffer
		if err := json.Compact(&buf, d.RawParams); err != nil {
			return err
		}
		d.RawParams = buf.Bytes()
		return next(ctx, d)
	}
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h, compact)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
