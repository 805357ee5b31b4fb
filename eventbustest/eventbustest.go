// Package eventbustest helps to test what dispatches to an [eventbus.Bus] and what
// handles its events.
//
//	func TestSignUp(t *testing.T) {
//		bus := eventbus.New(eventbustest.Logger(t), eventbustest.ReadOnly(t))
//		rec := eventbustest.Record(bus) // before the first dispatch
//		var mailer eventbustest.Fake
//		mailer.Fail(errors.New("server is busy"), nil) // once, then it works
//		bus.Register("user", "created", mailer.Handle)
//
//		user.SignUp(t.Context(), bus, "ada@example.com")
//
//		eventbustest.Expect[Created](t, rec, "user", "created").Exactly(Created{"ada@example.com"})
//		eventbustest.Expect[json.RawMessage](t, rec, "user", "deleted").None()
//	}
//
// [Record] sees every dispatch of a bus, handled or not; a [Fake] sees those of the events
// it is registered for, and as a handler does: after a Call that an earlier handler ended, it
// has seen nothing. [Expect] takes either, and what [RollBack] returns.
//
// # Failures
//
// An expectation that isn't met is reported by Errorf: the test goes on, and so reports
// all of them. The message has the difference as go-cmp shows it, and what was recorded
// instead. It quotes params, which no other message of eventbus does: don't give real
// people's data to a test. Misuse, such as recording a bus that has dispatched, panics.
//
// Everything here is safe for concurrent use, in parallel tests too. Logger and ReadOnly
// keep quiet once their test is over, where a late handler would otherwise make package
// testing panic.
package eventbustest

import (
	"context"
	"slices"
	"sync"

	"example.com/eventbus"
)

// Recorder keeps the events that a bus dispatched.
type Recorder struct{ events }

// Record returns a Recorder of all that bus dispatches from now on, handled or not, by Call
// or Publish, in the order in which the dispatches begin. An event that a middleware of an
// earlier Intercept changes is recorded as changed.
//
// It uses [eventbus.Bus.Intercept] and panics, as that does, once the bus has dispatched.
func Record(bus *eventbus.Bus) *Recorder {
	r := new(Recorder)
	bus.Intercept(func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			r.add(data)
			return next(ctx, data)
		}
	})
	return r
}

// Fake is a handler that does what a test tells it to, and keeps the events it was called
// with. The zero Fake succeeds.
//
//	var fake eventbustest.Fake
//	bus.Register("user", "created", fake.Handle)
type Fake struct {
	events
	script []func() error // the next calls, by mu; the last one stays
}

// Handle is the handler: it records the event, then returns or panics as told.
func (f *Fake) Handle(_ context.Context, data eventbus.Data) error {
	f.add(data)
	f.mu.Lock()
	act := func() error { return nil }
	if len(f.script) > 0 {
		act = f.script[0]
	}
	if len(f.script) > 1 {
		f.script = f.script[1:]
	}
	f.mu.Unlock()
	return act()
}

// Fail makes the next calls of Handle return errs, one each, in place of what it was told
// before; nil is success. The last one stays: Fail(err) fails always, Fail(err, nil) once,
// and Fail(nil) and Fail() never.
func (f *Fake) Fail(errs ...error) {
	var script []func() error
	for _, err := range errs {
		script = append(script, func() error { return err })
	}
	f.act(script)
}

// Panic makes the next calls of Handle panic with values, one each, in place of what it was
// told before; nil is success. The last one stays, as with Fail.
func (f *Fake) Panic(values ...any) {
	var script []func() error
	for _, v := range values {
		script = append(script, func() error {
			if v != nil {
				panic(v)
			}
			return nil
		})
	}
	f.act(script)
}

func (f *Fake) act(script []func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = script
}

// events is a list of events that may be added to by several goroutines.
type events struct {
	mu  sync.Mutex
	all []eventbus.Data
}

// Events returns what was recorded so far, in order.
func (e *events) Events() []eventbus.Data {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *events) add(data eventbus.Data) {
	data.RawParams = slices.Clone(data.RawParams) // a handler may be so bold as to write
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, data)
}
