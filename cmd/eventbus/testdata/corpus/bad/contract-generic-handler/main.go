// A generic wrapper of handlers, with a type that does not fit.
package main

import (
	"context"

	"bus.test/eventbus"
)

type Made struct {
	Total string `json:"total"`
}

type Read struct {
	Total int `json:"total"`
}

func handler[T any](fn func(context.Context, T) error) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error {
		v, err := eventbus.Decode[T](d) // want: error contract
		if err != nil {
			return err
		}
		return fn(ctx, v)
	}
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("cart", "paid", handler(func(ctx context.Context, r Read) error { return nil }))
	_ = bus.Publish(context.Background(), eventbus.MustData("cart", "paid", Made{}))
}
