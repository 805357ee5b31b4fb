// Package reply asks over an [eventbus.Bus]: the one who asks gets a typed answer
// from the handler, and neither of them imports the other.
//
//	// package user
//	reply.On(bus, "user", "find", func(ctx context.Context, q FindUser) (User, error) { … })
//
//	// package billing, with types of its own
//	data := eventbus.MustData("user", "find", map[string]int{"id": 7})
//	payer, err := reply.Ask[Payer](ctx, bus, data)
//
// A question is an event like any other: it reaches all its handlers, on the
// goroutine that asks, in the order of their registration. Those registered by
// [On] answer it, the others, such as an audit log, do what they always do.
// An answer crosses as JSON, so it fits every type that encoding/json decodes it to.
//
// # What counts as an answer
//
// A handler answers when it, and the middleware it was registered with, has returned
// without an error to the dispatch that Ask or Gather made. So what a dispatch nested inside
// a handler answers doesn't count, whatever event and context it has; nor does the
// attempt that a retry repeats, nor a handler that a middleware skips.
//
// A handler that nobody waits for, since it was moved onto a queue or past a commit,
// comes too late to answer: the question ends when the dispatch has returned, and what
// comes later is dropped. Ask says ErrNoReply then.
//
// Outside Ask and Gather, as under a plain Call, a handler of On runs as usual and
// its answer goes unused.
//
// # Failures
//
// [Ask] dispatches by Call: it ends at the first handler that fails and returns that
// error, also where another one had answered. [Gather] dispatches by Publish: it
// returns the answers there are beside the errors there are. An answer that can't be
// encoded fails its handler; one that doesn't decode to what was asked for fails the
// question with an [eventbus.DecodeError].
package reply

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"example.com/eventbus"
)

// What Ask returns, with the event's name, where no error came in the way and the
// answers aren't one. Compare by errors.Is.
var (
	ErrNoReply     = errors.New("reply: no handler answered")
	ErrManyReplies = errors.New("reply: more than one handler answered")
)

// On registers fn to answer (domain, action), its params decoded to a Q as
// eventbus.Decode does it. Params that don't fit fail the handler with a
// *eventbus.DecodeError and fn isn't called. fn may be called by several goroutines
// at once. An error of fn is the handler's error, and no answer.
//
// Names, panics and order are those of [eventbus.Bus.Register]; the handler's name is
// fn's. Middleware in mw sees each run, and an answer counts once all of mw has
// returned without an error; a middleware that runs the handler again replaces its
// answer.
func On[Q, A any](b *eventbus.Bus, domain, action string, fn func(context.Context, Q) (A, error), mw ...eventbus.Middleware) (unregister func()) {
	h := eventbus.Handler{Domain: domain, Action: action, Name: nameOf(fn), Source: callSite()}
	if fn == nil {
		return b.Handle(h, nil)
	}
	return b.Handle(h, func(ctx context.Context, data eventbus.Data) error {
		question, err := eventbus.Decode[Q](data)
		if err != nil {
			return err
		}
		answer, err := fn(ctx, question)
		s, asked := ctx.Value(key{}).(*slot)
		if err != nil || !asked {
			return err
		}
		encoded, err := eventbus.NewData(data.Domain, data.Action, answer)
		if err != nil { // trying again would repeat what fn did, to the same end
			return eventbus.Permanent(fmt.Errorf("reply: encode the answer: %w", err))
		}
		s.Store(&encoded.RawParams)
		return nil
	}, slices.Concat([]eventbus.Middleware{collect}, mw)...)
}

// Ask dispatches data by Call and returns the one answer, decoded to an A. Its
// errors are, in this order:
//
//   - that of the dispatch: the *eventbus.HandlerError of the handler that failed;
//   - one that is ErrNoReply or ErrManyReplies, the latter naming who answered;
//   - a *eventbus.DecodeError, with the handler's name, where the answer isn't an A.
//
// An answer of null, or of nil, is the zero A.
func Ask[A any](ctx context.Context, b *eventbus.Bus, data eventbus.Data) (A, error) {
	var none A
	answers, err := ask(ctx, b, data, (*eventbus.Bus).Call)
	if err != nil {
		return none, err
	}
	switch len(answers) {
	case 0:
		return none, fmt.Errorf("%w %v; register one that does by reply.On", ErrNoReply, data)
	case 1:
		return decode[A](data, answers[0])
	}
	var names []string
	for _, a := range answers {
		names = append(names, a.from.Name)
	}
	return none, fmt.Errorf("%w %v: %s; take them all by Gather", ErrManyReplies, data, strings.Join(names, ", "))
}

// Gather dispatches data by Publish and returns every answer, decoded to an A, in the
// order of the handlers' registration. The error joins those of the handlers that
// failed and, after them, a *eventbus.DecodeError for each answer that isn't an A;
// the answers beside it are good. No answer is no error.
func Gather[A any](ctx context.Context, b *eventbus.Bus, data eventbus.Data) ([]A, error) {
	answers, err := ask(ctx, b, data, (*eventbus.Bus).Publish)
	var all []A
	errs := []error{err}
	for _, a := range answers {
		v, err := decode[A](data, a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, v)
	}
	return all, errors.Join(errs...)
}

func decode[A any](data eventbus.Data, a answer) (A, error) {
	v, err := eventbus.Decode[A](eventbus.Data{Domain: data.Domain, Action: data.Action, RawParams: a.raw})
	if err != nil {
		return v, fmt.Errorf("reply: ask %v: the answer of %s: %w", data, a.from.Name, err)
	}
	return v, nil
}

// key is that of the context's value: a *question on the way to the handlers; below a
// handler of ours its *slot, or nil where its answer doesn't count.
type key struct{}

// question collects the answers of one Ask or Gather.
type question struct {
	mu      sync.Mutex
	closed  bool
	answers []answer
}

type answer struct {
	from *eventbus.Handler // one for each registration
	raw  []byte
}

// slot takes what one run of a handler answers, on whatever goroutine that is.
type slot struct{ atomic.Pointer[[]byte] }

// ask is the frame that within looks for.
func ask(ctx context.Context, b *eventbus.Bus, data eventbus.Data, dispatch func(*eventbus.Bus, context.Context, eventbus.Data) error) ([]answer, error) {
	q := new(question)
	err := dispatch(b, context.WithValue(ctx, key{}, q), data)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	return q.answers, err
}

// collect hands what the handler answers to the question, unless its dispatch is a
// nested one.
func collect(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, data eventbus.Data) error {
		v := ctx.Value(key{})
		if v == nil {
			return next(ctx, data)
		}
		q, ok := v.(*question)
		if !ok || !direct() {
			return next(context.WithValue(ctx, key{}, nil), data)
		}
		s := new(slot)
		err := next(context.WithValue(ctx, key{}, s), data)
		if raw := s.Load(); raw != nil && err == nil {
			q.add(answer{&h, *raw})
		}
		return err
	}
}

func (q *question) add(a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if i := slices.IndexFunc(q.answers, func(b answer) bool { return a.from == b.from }); i >= 0 {
		q.answers[i] = a // a middleware of the whole bus ran it again
		return
	}
	q.answers = append(q.answers, a)
}

// direct reports whether the dispatch under way is the one that ask made. Only the
// stack can tell: a handler that isn't ours may dispatch the event it was given again,
// with the context it was given. Where a middleware of the whole bus moved the
// dispatch to another goroutine, there is neither a dispatch nor ask on the stack.
func direct() bool {
	for pcs := make([]uintptr, 64); ; pcs = make([]uintptr, 4*len(pcs)) {
		n, dispatches := runtime.Callers(2, pcs), 0
		frames := runtime.CallersFrames(pcs[:n])
		for more := n > 0; more; {
			var f runtime.Frame
			switch f, more = frames.Next(); f.Function {
			case askFrame:
				return true
			case callFrame, publishFrame:
				if dispatches++; dispatches > 1 {
					return false
				}
			}
		}
		if n < len(pcs) {
			return dispatches == 0
		}
	}
}

var callFrame, publishFrame, askFrame = symbol((*eventbus.Bus).Call), symbol((*eventbus.Bus).Publish), symbol(ask)

// symbol returns the name that the linker gave to fn, or nothing for nil.
func symbol(fn any) string {
	return runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
}

// nameOf names fn and callSite the caller of On as the bus does for Register.
func nameOf(fn any) string {
	return unescape(strings.TrimSuffix(path.Base(symbol(fn)), "-fm"))
}

func callSite() string {
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:])
	f, _ := runtime.CallersFrames(pcs[:]).Next()
	dir, name := path.Split(f.Function)
	pkg, _, _ := strings.Cut(name, ".")
	return fmt.Sprintf("%s%s/%s:%d", dir, unescape(pkg), path.Base(f.File), f.Line)
}

// unescape undoes what the linker does to dots in a package's last element.
func unescape(name string) string { return strings.ReplaceAll(name, "%2e", ".") }
