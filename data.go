package eventbus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Data is one event on its way to the handlers: what happened, and its
// parameters as JSON. A value of it is cheap to copy; the copies share
// RawParams, which nobody may write to once the event is dispatched, neither
// the handlers nor the producer.
type Data struct {
	Domain, Action string

	// RawParams holds one JSON value, or nothing for an event without a
	// payload. Decode reads it.
	RawParams []byte
}

// NewData returns the event (domain, action) with params encoded by
// encoding/json. With nil params the event has no payload and RawParams is nil.
//
// It fails where a name is empty and where encoding/json can't encode params.
// The error names the event and the Go type, never the value; it unwraps to the
// encoder's own error, which may quote the value.
func NewData(domain, action string, params any) (Data, error) {
	d := Data{Domain: domain, Action: action}
	if err := d.check("make"); err != nil || params == nil {
		return d, err
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return Data{}, fmt.Errorf("eventbus: make %v: encode %T: %w", d, params, unquoted{err})
	}
	return Data{domain, action, raw}, nil
}

// MustData is NewData for params whose static type always encodes: strings,
// numbers, and structs, slices and maps of them. It panics where NewData fails.
func MustData(domain, action string, params any) Data {
	d, err := NewData(domain, action, params)
	if err != nil {
		panic(err)
	}
	return d
}

// String returns domain/action, as errors and log lines name the event. It
// leaves the params out.
func (d Data) String() string { return d.Domain + "/" + d.Action }

// check refuses an event without a name, which no handler can be registered for.
func (d Data) check(doing string) error {
	if d.Domain == "" || d.Action == "" {
		return fmt.Errorf("eventbus: %s %q/%q: an event needs a domain and an action", doing, d.Domain, d.Action)
	}
	return nil
}

// LogValue returns the domain, the action and the size of the params in bytes:
// what was in them is no business of a log.
func (d Data) LogValue() slog.Value {
	return slog.GroupValue(slog.String("domain", d.Domain), slog.String("action", d.Action), slog.Int("bytes", len(d.RawParams)))
}

// Event is a contract that a producer and a consumer may share: the names of an
// event and the type of its params. Declare it as a package variable of a
// package that both import.
//
//	var Created = eventbus.Event[UserCreated]{Domain: "user", Action: "created"}
type Event[T any] struct{ Domain, Action string }

// New returns the event with params, as NewData does.
func (e Event[T]) New(params T) (Data, error) { return NewData(e.Domain, e.Action, params) }

// Must returns the event with params, as MustData does.
func (e Event[T]) Must(params T) Data { return MustData(e.Domain, e.Action, params) }

// Decode returns the params of d, as the function Decode does, and refuses the
// data of another event, for good (see IsPermanent). An Event named Any takes the data
// of every event it would be registered for.
func (e Event[T]) Decode(d Data) (T, error) {
	if (e.Domain != Any && e.Domain != d.Domain) || (e.Action != Any && e.Action != d.Action) {
		return *new(T), Permanent(fmt.Errorf("eventbus: decode %v as %s/%s: the data is of another event", d, e.Domain, e.Action))
	}
	return Decode[T](d)
}

// On registers fn for the event, as the function On does.
func (e Event[T]) On(b *Bus, fn func(context.Context, T) error, mw ...Middleware) (unregister func()) {
	return On(b, e.Domain, e.Action, fn, mw...)
}

// unquoted is an error of encoding/json without its text, which may quote a value.
type unquoted struct{ error }

func (e unquoted) Error() string { return fmt.Sprintf("encoding/json refuses it (%T)", e.error) }
func (e unquoted) Unwrap() error { return e.error }
