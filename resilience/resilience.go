// Package resilience runs the handlers of an [eventbus.Bus] under the policies of
// failsafe-go: retry, circuit breaker, rate limiter, bulkhead, timeout, fallback,
// hedge and its adaptive ones.
//
//	steady := resilience.With(func(h eventbus.Handler) []failsafe.Policy[any] {
//		return []failsafe.Policy[any]{ // the first is outermost
//			retrypolicy.NewBuilder[any]().WithBackoff(50*time.Millisecond, time.Second).WithJitterFactor(.2).ReturnLastFailure().Build(),
//			circuitbreaker.NewWithDefaults[any](),
//		}
//	})
//	bus.Register("user", "created", mail.Welcome, steady)
//
// The package adds what a bus needs and nothing that failsafe-go has: each
// registration gets policies of its own, a panic is a failure like any other, errors
// marked by [eventbus.Permanent] aren't tried again, and failsafe's listeners can tell
// which handler and event they are called for: see [From].
//
// # Where handlers run
//
// A handler, and each retry of it, runs on the caller's goroutine and within the
// caller's context: the waiting between retries holds up the handlers after it and
// whoever dispatched, and ends when the context does. Where that is too long, move the
// handler onto a queue, and put With after the queue, not before it.
//
// A timeout ends the handler's context and waits for the handler to notice; the failure
// is timeout.ErrExceeded once the handler has returned. Nothing runs on behind the
// caller's back.
//
// A hedge is the one policy that gives up the promise of the caller's goroutine: it runs
// each attempt, the first included, on a goroutine of its own, two and more of them at
// once, and returns with the first result. The other attempts see their context end and
// may still be running then. Don't hedge what uses a transaction of the caller, or
// anything else that is for one goroutine. Put a retry policy around a hedge, not into it:
// in failsafe-go v0.9.8 the attempts of a hedge would race for one count of retries.
//
// # Failures
//
// What the policies return is the handler's failure: the handler's own error, or one of
// failsafe-go such as circuitbreaker.ErrOpen or a retrypolicy.ExceededError, which
// unwraps to the handler's last error. Once the context has ended, a retry policy
// returns the context's error in place of what the handler returned, be it an error or
// nil. A fallback that succeeds makes the handler succeed.
//
// A handler that panics fails with a *eventbus.PanicError, on whatever goroutine; so does
// one whose middleware after With, whose fallback function or whose listener panics. No
// permit is lost by it, no breaker left half open. Three things are out of reach here and
// end the process: a panic in timeout's OnTimeoutExceeded, in a hedge's predicate, and in
// a circuit breaker's state listener, which failsafe-go calls on goroutines of its own or
// amid its locking. runtime.Goexit, as testing.T.FailNow calls it, passes through: it keeps
// the permit it holds, and below a hedge nobody learns of it.
//
// A permanent error passes retry policies by: they return it at once, unwrapped, and call
// none of their listeners for it. All other policies see it as any other failure. A breaker
// that should count only what a service did wrong says so:
//
//	circuitbreaker.NewBuilder[any]().HandleIf(func(_ any, err error) bool {
//		return err != nil && !eventbus.IsPermanent(err)
//	})
package resilience

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"

	"example.com/eventbus"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/common"
	"github.com/failsafe-go/failsafe-go/policy"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// With returns a middleware that runs a handler under policies, the first outermost. It
// calls policies once for each registration, while that is made, so that no two handlers
// share a breaker unless policies returns the same one twice. Where policies returns
// none, the handler runs as it is.
//
// Registered with a handler, the policies wrap the handler and the middleware after With;
// given to eventbus.New, each handler of the bus with all its middleware; to
// eventbus.Bus.Intercept, each whole dispatch, once for Call and once for Publish.
//
// The result that policies see is always nil; they tell failures by the error alone.
//
// With panics where policies is nil, the registration where policies returns a nil policy.
func With(policies func(h eventbus.Handler) []failsafe.Policy[any]) eventbus.Middleware {
	if policies == nil {
		panic("resilience: With: the function that makes the policies is nil")
	}
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		layers := policies(h)
		if len(layers) == 0 {
			return next
		}
		safe := make([]failsafe.Policy[any], len(layers))
		for i, p := range layers {
			if p == nil {
				panic(fmt.Sprintf("resilience: policy %d of %v at %s is nil", i, h, h.Source))
			}
			safe[i] = layer{p}
		}
		executor := failsafe.With(safe...)
		return func(ctx context.Context, data eventbus.Data) error {
			ctx = context.WithValue(ctx, key{}, &running{h, data})
			return executor.WithContext(ctx).RunWithExecution(func(exec failsafe.Execution[any]) (err error) {
				defer recovered(func(p *eventbus.PanicError) { err = p })
				return next(exec.Context(), data)
			})
		}
	}
}

// From returns the handler that runs under With and the event it handles, given the
// context of one of failsafe's executions or events, or the handler's own. It reports
// false where there is none, as when a circuit breaker is opened by hand. The innermost
// With counts where handlers dispatch.
func From(ctx context.Context) (eventbus.Handler, eventbus.Data, bool) {
	r, ok := ctx.Value(key{}).(*running)
	if !ok {
		return eventbus.Handler{}, eventbus.Data{}, false
	}
	return r.handler, r.data, true
}

type key struct{}

type running struct {
	handler eventbus.Handler
	data    eventbus.Data
}

// layer is a policy that turns its own panics into failures, for the policy around it.
type layer struct{ failsafe.Policy[any] }

type inner = func(failsafe.Execution[any]) *common.PolicyResult[any]

type applier interface{ Apply(inner) inner }

// retry is failsafe's type of all retry policies; its interface fits every policy.
var retry = reflect.TypeOf(retrypolicy.NewWithDefaults[any]())

func (l layer) ToExecutor(token any) any {
	e := l.Policy.ToExecutor(token).(applier)
	if reflect.TypeOf(l.Policy) == retry {
		e = untilPermanent{e}
	}
	return guarded{e}
}

type guarded struct{ applier }

func (g guarded) Apply(next inner) inner {
	run := g.applier.Apply(next)
	return func(exec failsafe.Execution[any]) (result *common.PolicyResult[any]) {
		defer recovered(func(p *eventbus.PanicError) { result = &common.PolicyResult[any]{Error: p, Done: true} })
		return run(exec)
	}
}

// untilPermanent ends the retries at a permanent error as failsafe's own timeout ends
// them: it cancels the execution with that result. An error hidden from the policy would
// reach its listeners as a success, and its builder, which could abort, isn't ours.
type untilPermanent struct{ applier }

func (u untilPermanent) Apply(next inner) inner {
	return func(exec failsafe.Execution[any]) *common.PolicyResult[any] {
		retrying := exec.(policy.ExecutionInternal[any]).CopyForCancellable().(policy.ExecutionInternal[any])
		defer retrying.Cancel(nil)
		return u.applier.Apply(func(failsafe.Execution[any]) *common.PolicyResult[any] {
			result := next(exec) // whose context outlives the retries: a handler may be put off with it
			if eventbus.IsPermanent(result.Error) {
				retrying.Cancel(result.WithDone(true, false))
			}
			return result
		})(retrying)
	}
}

// recovered, deferred, hands a panic to set.
func recovered(set func(*eventbus.PanicError)) {
	if v := recover(); v != nil {
		set(&eventbus.PanicError{Value: v, Stack: debug.Stack()})
	}
}
