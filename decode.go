package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Decode returns the params of d as a T, by the rules of json.Unmarshal into a
// zero T. Each call makes a value of its own, which the caller may change. Data
// without a payload gives the zero T.
//
// The error is a *DecodeError.
func Decode[T any](d Data) (v T, err error) {
	if len(d.RawParams) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(d.RawParams, &v); err != nil {
		return *new(T), newDecodeError[T](d, err)
	}
	return v, nil
}

// On registers fn for (domain, action) with its params decoded to a T, as
// Decode does; a handler that needs no params takes a struct{}. Params that
// don't fit T fail the handler with a *DecodeError and fn isn't called.
// Names, panics and order are those of Register, and the handler's name is fn's.
func On[T any](b *Bus, domain, action string, fn func(context.Context, T) error, mw ...Middleware) (unregister func()) {
	var handler Func
	if fn != nil {
		handler = func(ctx context.Context, d Data) error {
			v, err := Decode[T](d)
			if err != nil {
				return err
			}
			return fn(ctx, v)
		}
	}
	return b.Handle(Handler{Domain: domain, Action: action, Name: funcName(fn)}, handler, mw...)
}

// DecodeError says that the params of an event are not a T. Its text quotes
// none of them. It is permanent: see IsPermanent.
type DecodeError struct {
	Domain, Action string
	Type           reflect.Type // the T asked for
	Field          string       // the path of JSON names to what doesn't fit; empty where that isn't known
	Offset         int64        // in RawParams, in bytes; 0 where that isn't known
	Err            error        // encoding/json's error, which may quote a value
	reason         string
}

func newDecodeError[T any](d Data, err error) *DecodeError {
	e := &DecodeError{d.Domain, d.Action, reflect.TypeFor[T](), "", 0, err, fmt.Sprintf("its own decoding failed (%T)", err)}
	if m, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(m.Value, " ") // "number 300" quotes the number
		e.Field, e.Offset, e.reason = m.Field, m.Offset, fmt.Sprintf("a JSON %s does not fit a Go %v", kind, m.Type)
	} else if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		text := strings.SplitN(s.Error(), "' ", 2) // "invalid character 'x' in …" quotes the character
		e.Offset, e.reason = s.Offset, "not valid JSON: "+text[len(text)-1]
	}
	return e
}

func (e *DecodeError) Error() string {
	params := strings.TrimSuffix("params."+e.Field, ".")
	return fmt.Sprintf("eventbus: decode %s/%s to %v: %s at byte %d: %s", e.Domain, e.Action, e.Type, params, e.Offset, e.reason)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

func (*DecodeError) permanent() {}

// Permanent marks err as one that trying again can't mend, so that whoever
// retries handlers gives up at once. The text stays the same and errors.Is and
// errors.As see through the mark. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or an error it wraps or joins, was marked by
// Permanent or is a *DecodeError or a *CycleError.
func IsPermanent(err error) bool { return errors.As(err, new(interface{ permanent() })) }

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }
func (*permanentError) permanent()      {}
