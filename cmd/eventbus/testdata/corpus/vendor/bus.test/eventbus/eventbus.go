// Package eventbus stands in for the bus: the same names and signatures, as much
// of them as the corpus uses, without the work.
package eventbus

import (
	"context"
	"encoding/json"
	"log/slog"
)

const Any = "*"

type Func func(ctx context.Context, data Data) error

type Handler struct{ Domain, Action, Name, Source string }

type Middleware func(h Handler, next Func) Func

type Bus struct{ handlers map[[2]string][]Func }

func New(log *slog.Logger, mw ...Middleware) *Bus { return &Bus{} }

func (b *Bus) Register(domain, action string, fn Func, mw ...Middleware) (unregister func()) {
	return b.Handle(Handler{Domain: domain, Action: action}, fn, mw...)
}

func (b *Bus) Handle(h Handler, fn Func, mw ...Middleware) (unregister func()) { return func() {} }

func (b *Bus) Intercept(mw ...Middleware) {}

func (b *Bus) Call(ctx context.Context, data Data) error { return nil }

func (b *Bus) Publish(ctx context.Context, data Data) error { return nil }

type Data struct {
	Domain, Action string
	RawParams      []byte
}

func NewData(domain, action string, params any) (Data, error) {
	raw, err := json.Marshal(params)
	return Data{domain, action, raw}, err
}

func MustData(domain, action string, params any) Data {
	d, _ := NewData(domain, action, params)
	return d
}

func Decode[T any](d Data) (T, error) {
	var v T
	err := json.Unmarshal(d.RawParams, &v)
	return v, err
}

func On[T any](b *Bus, domain, action string, fn func(context.Context, T) error, mw ...Middleware) (unregister func()) {
	return b.Register(domain, action, func(ctx context.Context, d Data) error {
		v, err := Decode[T](d)
		if err != nil {
			return err
		}
		return fn(ctx, v)
	}, mw...)
}

type Event[T any] struct{ Domain, Action string }

func (e Event[T]) New(params T) (Data, error) { return NewData(e.Domain, e.Action, params) }

func (e Event[T]) Must(params T) Data { return MustData(e.Domain, e.Action, params) }

func (e Event[T]) Decode(d Data) (T, error) { return Decode[T](d) }

func (e Event[T]) On(b *Bus, fn func(context.Context, T) error, mw ...Middleware) (unregister func()) {
	return On(b, e.Domain, e.Action, fn, mw...)
}
