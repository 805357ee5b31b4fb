package eventbustest

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"example.com/eventbus"
	"github.com/google/go-cmp/cmp"
)

// Expectation is what a test expects of the events of one kind, each decoded to a T. It
// checks nothing until one of its methods is called.
type Expectation[T any] struct {
	tb             testing.TB
	from           interface{ Events() []eventbus.Data }
	domain, action string
	opts           cmp.Options
}

// Expect returns an Expectation of the events (domain, action) that from, a *Recorder, a
// *Fake or Reactions, has recorded when a method is called. Either name may be
// eventbus.Any, which stands for all.
//
// A T is compared by go-cmp with opts, such as cmpopts.IgnoreFields. Events that don't
// decode to a T, by the rules of eventbus.Decode, fail the test.
func Expect[T any](tb testing.TB, from interface{ Events() []eventbus.Data }, domain, action string, opts ...cmp.Option) Expectation[T] {
	tb.Helper()
	return Expectation[T]{tb, from, domain, action, opts}
}

// Exactly fails the test unless the events are those of want and no others, in any order.
func (e Expectation[T]) Exactly(want ...T) {
	e.tb.Helper()
	if got, ok := e.got(); ok {
		missing, more := e.without(want, got), e.without(got, want)
		e.check("exactly these, in any order", missing, more)
	}
}

// InOrder fails the test unless the events are those of want and no others, in that order.
func (e Expectation[T]) InOrder(want ...T) {
	e.tb.Helper()
	if got, ok := e.got(); ok {
		e.check("exactly these, in this order", want, got)
	}
}

// AtLeast fails the test unless those of want are among the events, in any order. One that
// is given twice must be there twice.
func (e Expectation[T]) AtLeast(want ...T) {
	e.tb.Helper()
	if got, ok := e.got(); ok {
		if missing := e.without(want, got); len(missing) > 0 {
			e.check("at least these", missing, e.without(got, want))
		}
	}
}

// None fails the test if there is such an event, whatever its params.
func (e Expectation[T]) None() {
	e.tb.Helper()
	n := 0
	for range e.events() {
		n++
	}
	if n > 0 {
		e.fail("want none, got %d", n)
	}
}

// got returns the events decoded, and false where it has failed the test.
func (e Expectation[T]) got() (got []T, ok bool) {
	e.tb.Helper()
	for data := range e.events() {
		v, err := eventbus.Decode[T](data)
		if err != nil {
			e.fail("%v", err)
			return nil, false
		}
		got = append(got, v)
	}
	return got, true
}

func (e Expectation[T]) events() iter.Seq[eventbus.Data] {
	return func(yield func(eventbus.Data) bool) {
		for _, d := range e.from.Events() {
			matches := (e.domain == eventbus.Any || e.domain == d.Domain) && (e.action == eventbus.Any || e.action == d.Action)
			if matches && !yield(d) {
				return
			}
		}
	}
}

// without returns what is left of all when an equal of each of some is taken out.
func (e Expectation[T]) without(all, some []T) []T {
	left := slices.Clone(all)
	for _, v := range some {
		if i := slices.IndexFunc(left, func(w T) bool { return cmp.Equal(w, v, e.opts) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return left
}

func (e Expectation[T]) check(what string, want, got []T) {
	e.tb.Helper()
	if len(want) == 0 && len(got) == 0 {
		return // to cmp, an empty slice isn't a nil one
	}
	if diff := cmp.Diff(want, got, e.opts); diff != "" {
		e.fail("want %s (-want +got):\n%s", what, diff)
	}
}

func (e Expectation[T]) fail(format string, args ...any) {
	e.tb.Helper()
	e.tb.Errorf("eventbustest: %s/%s: %s\n%s", e.domain, e.action, fmt.Sprintf(format, args...), transcript(e.from.Events()))
}

// transcript lists events as a message shows them. A test that dispatches thousands, or
// files, gets the first.
func transcript(events []eventbus.Data) string {
	if len(events) == 0 {
		return "nothing was recorded"
	}
	const most, longest = 30, 300
	var b strings.Builder
	b.WriteString("recorded, in this order:")
	for i, d := range events {
		if i == most {
			fmt.Fprintf(&b, "\n\tand %d more", len(events)-most)
			break
		}
		params := "without params"
		if len(d.RawParams) > 0 {
			params = string(d.RawParams[:min(len(d.RawParams), longest)])
		}
		if len(d.RawParams) > longest {
			params += fmt.Sprintf("… (%d bytes)", len(d.RawParams))
		}
		fmt.Fprintf(&b, "\n\t%v %s", d, params)
	}
	return b.String()
}
