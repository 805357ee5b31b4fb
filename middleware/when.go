package middleware

import (
	"context"

	"example.com/eventbus"
)

// When returns a Middleware that runs the handler only of events for which cond
// is true. For others the dispatch goes on as if the handler had succeeded. A
// cond that panics fails the handler; nil panics here.
//
// The condition is asked at each event. It may decode the params; what is left
// undone because they don't decode is for it to decide.
func When(cond func(ctx context.Context, data eventbus.Data) bool) eventbus.Middleware {
	if cond == nil {
		panic("middleware: When: the condition is nil")
	}
	return func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			if !cond(ctx, data) {
				return nil
			}
			return next(ctx, data)
		}
	}
}
