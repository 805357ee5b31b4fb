package txn

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"

	"example.com/eventbus"
)

// AfterCommit returns a Middleware that puts the handler off until the
// outermost transaction of its context is committed; see the package comment. A
// transaction that is rolled back drops it. Dispatch returns nil for a handler
// that is put off.
//
// Outside a transaction the handler doesn't run and the dispatch fails with
// ErrNoTx, after the end of the transaction with ErrDone. Both are permanent:
// see eventbus.IsPermanent.
func AfterCommit() eventbus.Middleware {
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			if err := putOff(ctx, h, data, next); err != nil {
				return refused("put off until the commit", err, "dispatch within txn.Run, or choose AfterCommitOrNow")
			}
			return nil
		}
	}
}

// AfterCommitOrNow is AfterCommit for a handler that runs at once where the
// context holds no transaction: on its caller's goroutine, with its caller's
// context, and its error is the dispatch's.
func AfterCommitOrNow() eventbus.Middleware {
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		after := AfterCommit()(h, next)
		return func(ctx context.Context, data eventbus.Data) error {
			if frameOf(ctx).scope == nil {
				return next(ctx, data)
			}
			return after(ctx, data)
		}
	}
}

// Required returns a Middleware for a handler that must run within a
// transaction. Without one the handler doesn't run and the dispatch fails with
// ErrNoTx, after its end with ErrDone. Both are permanent: see
// eventbus.IsPermanent.
func Required() eventbus.Middleware {
	return func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			if err := frameOf(ctx).scope.usable(); err != nil {
				return refused("transaction required", err, "dispatch within txn.Run")
			}
			return next(ctx, data)
		}
	}
}

// Pending returns the handlers that wait for the commit of ctx's transaction
// when the iteration begins, each with its event, in the order in which they
// will run. Without a transaction, and after its end, there are none.
//
// A test that rolls back in the end sees here what would have run.
func Pending(ctx context.Context) iter.Seq2[eventbus.Handler, eventbus.Data] {
	return func(yield func(eventbus.Handler, eventbus.Data) bool) {
		for _, d := range frameOf(ctx).scope.pending() {
			if !yield(d.handler, d.data) {
				return
			}
		}
	}
}

func (s *scope) pending() []deferred {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after // which only grows
}

func refused(what string, err error, todo string) error {
	return eventbus.Permanent(fmt.Errorf("txn: %s: %w: %s", what, err, todo))
}

// maxDepth is how many handlers may run after a commit that a handler after a
// commit made, and so on. The bus can't see such a cycle, since each of its
// dispatches has returned by then, and a stack overflow kills the process.
const maxDepth = 1000

// deferred is a handler put off, with all that its run needs.
type deferred struct {
	handler eventbus.Handler
	data    eventbus.Data
	next    eventbus.Func
	ctx     context.Context
	report  func(context.Context, error)
}

// putOff adds next to what runs after the commit.
func putOff(ctx context.Context, h eventbus.Handler, data eventbus.Data, next eventbus.Func) error {
	f := frameOf(ctx)
	if f.depth >= maxDepth {
		return &eventbus.CycleError{Handlers: []eventbus.Handler{h}}
	}
	if f.scope == nil {
		return ErrNoTx
	}
	detached := frame{depth: f.depth + 1}.in(context.WithoutCancel(ctx))
	f.scope.mu.Lock()
	defer f.scope.mu.Unlock()
	if f.scope.done {
		return ErrDone
	}
	f.scope.after = append(f.scope.after, deferred{h, data, next, detached, f.report})
	return nil
}

// runAll runs all in order. One that ends the goroutine, or whose failure makes
// OnError panic, doesn't keep the rest from running.
func runAll(all []deferred) {
	for i, d := range all {
		func() {
			returned := false
			defer func() {
				if !returned {
					runAll(all[i+1:])
				}
			}()
			if err := d.run(); err != nil {
				d.report(d.ctx, err)
			}
			returned = true
		}()
	}
}

func (d deferred) run() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &eventbus.PanicError{Value: v, Stack: debug.Stack()}
		}
		if err != nil {
			err = &eventbus.HandlerError{Handler: d.handler, Domain: d.data.Domain, Action: d.data.Action, Err: err}
		}
	}()
	return d.next(d.ctx, d.data)
}
