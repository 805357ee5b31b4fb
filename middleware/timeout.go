package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventbus"
)

// Timeout returns a Middleware that gives each run of the handler a deadline, d
// from its start, or the caller's if that is earlier. It panics where d isn't
// positive.
//
// The deadline is in the context and nowhere else. Nothing can stop a Go
// function from outside, so a handler that doesn't heed its context takes as
// long as it takes, and its caller waits; it is never left running behind the
// caller's back. One that returns nil after the deadline succeeded.
//
// An error returned after d has passed comes back as one that names the handler
// and d, matches context.DeadlineExceeded and unwraps to the handler's own. That
// of a caller's earlier deadline stays as it is. Within the handler,
// context.Cause names the handler and d as well.
func Timeout(d time.Duration) eventbus.Middleware {
	if d <= 0 {
		panic(fmt.Sprintf("middleware: Timeout: %v is not positive", d))
	}
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		late := &lateError{h.Name, d, context.DeadlineExceeded}
		return func(ctx context.Context, data eventbus.Data) error {
			ctx, cancel := context.WithTimeoutCause(ctx, d, late)
			defer cancel()
			err := next(ctx, data)
			if err == nil || context.Cause(ctx) != late || errors.Is(err, late) {
				return err
			}
			return &lateError{h.Name, d, err}
		}
	}
}

// lateError is the error of a handler after its deadline.
type lateError struct {
	name string
	d    time.Duration
	err  error
}

func (e *lateError) Error() string {
	return fmt.Sprintf("middleware: handler %s ran out of its %v: %v", e.name, e.d, e.err)
}

func (e *lateError) Unwrap() []error { return []error{context.DeadlineExceeded, e.err} }
