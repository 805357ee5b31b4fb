package resilience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/resilience"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/cachepolicy"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var created = eventbus.MustData("user", "created", nil)

// under returns a middleware with these very policies.
func under(policies ...failsafe.Policy[any]) eventbus.Middleware {
	return resilience.With(func(eventbus.Handler) []failsafe.Policy[any] { return policies })
}

// failing returns a handler that counts its runs and returns err.
func failing(runs *atomic.Int32, err error) eventbus.Func {
	return func(context.Context, eventbus.Data) error { runs.Add(1); return err }
}

type cache map[string]any

func (c cache) Get(k string) (any, bool) { v, ok := c[k]; return v, ok }
func (c cache) Set(k string, v any)      { c[k] = v }

// Each policy sees a handler that panics as one that fails, and holds on to nothing.
func TestPanics(t *testing.T) {
	isPanic := func(err error) bool { _, ok := errors.AsType[*eventbus.PanicError](err); return ok }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	type policies = []failsafe.Policy[any]

	for _, tt := range []struct {
		name string
		// make returns the policies, and what to check once the handler has panicked in
		// five dispatches.
		make func() (policies, func(t *testing.T))
		want []func(error) bool // of the dispatches; the last one also of those that follow
		runs int                // -1 where that is up to the policy
	}{
		{"retry", func() (policies, func(*testing.T)) {
			return policies{retrypolicy.NewWithDefaults[any]()}, nil
		}, []func(error) bool{func(err error) bool { return isPanic(err) && retrypolicy.IsExceededError(err) }}, 15},

		{"circuit breaker", func() (policies, func(*testing.T)) {
			b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(time.Hour).Build()
			return policies{b}, func(t *testing.T) {
				if !b.IsOpen() {
					t.Errorf("the breaker is %v, want it open", b.State())
				}
			}
		}, []func(error) bool{isPanic, isPanic, isPanic, is(circuitbreaker.ErrOpen)}, 3},

		{"half-open circuit breaker", func() (policies, func(*testing.T)) {
			b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).WithDelay(0).WithSuccessThreshold(1).Build()
			b.HalfOpen()
			return policies{b}, func(t *testing.T) {
				if !b.TryAcquirePermit() {
					t.Error("the breaker lets nobody try again")
				}
			}
		}, []func(error) bool{isPanic}, 5},

		{"rate limiter", func() (policies, func(*testing.T)) {
			return policies{ratelimiter.NewBursty[any](3, time.Hour)}, nil
		}, []func(error) bool{isPanic, isPanic, isPanic, is(ratelimiter.ErrExceeded)}, 3},

		{"bulkhead", func() (policies, func(*testing.T)) {
			b := bulkhead.New[any](1)
			return policies{b}, func(t *testing.T) {
				if !b.TryAcquirePermit() {
					t.Error("the bulkhead lost its permit")
				}
			}
		}, []func(error) bool{isPanic}, 5},

		{"timeout", func() (policies, func(*testing.T)) {
			return policies{timeout.New[any](time.Hour)}, nil
		}, []func(error) bool{isPanic}, 5},

		{"fallback", func() (policies, func(*testing.T)) {
			return policies{fallback.NewWithResult[any](nil)}, nil
		}, []func(error) bool{func(err error) bool { return err == nil }}, 5},

		{"fallback that panics, in a bulkhead, in a hedge", func() (policies, func(*testing.T)) {
			b := bulkhead.New[any](1)
			f := fallback.NewWithFunc(func(failsafe.Execution[any]) (any, error) { panic("fallback") })
			return policies{hedgepolicy.NewWithDelay[any](time.Hour), b, f}, func(t *testing.T) {
				if !b.TryAcquirePermit() {
					t.Error("the bulkhead lost its permit")
				}
			}
		}, []func(error) bool{func(err error) bool { return isPanic(err) && strings.Contains(err.Error(), "panic: fallback") }}, 5},

		{"listener that panics, in a bulkhead", func() (policies, func(*testing.T)) {
			b := bulkhead.New[any](1)
			r := retrypolicy.NewBuilder[any]().OnRetry(func(failsafe.ExecutionEvent[any]) { panic("listener") }).Build()
			return policies{b, r}, func(t *testing.T) {
				if !b.TryAcquirePermit() {
					t.Error("the bulkhead lost its permit")
				}
			}
		}, []func(error) bool{func(err error) bool { return isPanic(err) && strings.Contains(err.Error(), "panic: listener") }}, 5},

		{"hedge", func() (policies, func(*testing.T)) {
			never := func(any, error) bool { return false } // so that all three attempts run
			return policies{hedgepolicy.NewBuilderWithDelay[any](0).WithMaxHedges(2).CancelIf(never).Build()}, nil
		}, []func(error) bool{isPanic}, 15},

		{"adaptive limiter", func() (policies, func(*testing.T)) {
			l := adaptivelimiter.NewBuilder[any]().WithLimits(1, 1, 1).Build()
			return policies{l}, func(t *testing.T) {
				if n := l.Inflight(); n != 0 {
					t.Errorf("%d permits are still taken", n)
				}
			}
		}, []func(error) bool{isPanic}, 5},

		{"adaptive throttler", func() (policies, func(*testing.T)) {
			l := adaptivethrottler.NewBuilder[any]().WithFailureRateThreshold(.1, 5, time.Hour).WithMaxRejectionRate(1).Build()
			return policies{l}, func(t *testing.T) {
				l.TryAcquirePermit()
				if l.RejectionRate() == 0 {
					t.Error("the throttler counted no failure")
				}
			}
		}, []func(error) bool{isPanic}, 5},

		{"cache", func() (policies, func(*testing.T)) {
			c := cache{}
			return policies{cachepolicy.NewBuilder[any](c).WithKey("k").Build()}, func(t *testing.T) {
				if len(c) != 0 {
					t.Error("the cache holds the panic")
				}
			}
		}, []func(error) bool{isPanic}, 5},

		{"all together", func() (policies, func(*testing.T)) {
			bh := bulkhead.New[any](1)
			al := adaptivelimiter.NewBuilder[any]().WithLimits(1, 1, 1).Build()
			cb := circuitbreaker.NewBuilder[any]().WithFailureThreshold(100).Build()
			return policies{bh, al, retrypolicy.NewWithDefaults[any](), cb, timeout.New[any](time.Hour), hedgepolicy.NewWithDelay[any](time.Hour)}, func(t *testing.T) {
				if !bh.TryAcquirePermit() || al.Inflight() != 0 || cb.Metrics().Failures() != 15 {
					t.Errorf("bulkhead or limiter lost a permit, or the breaker counted %d failures instead of 15", cb.Metrics().Failures())
				}
			}
		}, []func(error) bool{isPanic}, 15},
	} {
		for _, who := range []string{"handler", "inner middleware"} {
			t.Run(tt.name+" and "+who, func(t *testing.T) {
				var runs atomic.Int32
				policies, check := tt.make()
				mw := []eventbus.Middleware{under(policies...)}
				handler := func(context.Context, eventbus.Data) error { runs.Add(1); panic("boom") }
				if who == "inner middleware" {
					mw = append(mw, func(_ eventbus.Handler, next eventbus.Func) eventbus.Func { return handler })
				}
				bus := new(eventbus.Bus)
				bus.Register("user", "created", handler, mw...)
				for i := range 5 {
					err := bus.Call(t.Context(), created)
					if want := tt.want[min(i, len(tt.want)-1)]; !want(err) {
						t.Errorf("dispatch %d returned %v", i+1, err)
					}
					if p, ok := errors.AsType[*eventbus.PanicError](err); ok && !bytes.Contains(p.Stack, []byte("resilience_test.TestPanics")) {
						t.Errorf("dispatch %d returned the stack %s\nwant that of the panic", i+1, p.Stack)
					}
				}
				if n := int(runs.Load()); n != tt.runs {
					t.Errorf("the handler ran %d times, want %d", n, tt.runs)
				}
				if check != nil {
					check(t)
				}
			})
		}
	}
}

func TestBreakerClosesAgainAfterPanics(t *testing.T) {
	b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).WithDelay(0).Build()
	bus, broken := new(eventbus.Bus), true
	bus.Register("user", "created", func(context.Context, eventbus.Data) error {
		if broken {
			panic("boom")
		}
		return nil
	}, under(b))
	for range 10 { // closed to open, then half open to open again
		if err := bus.Call(t.Context(), created); err == nil {
			t.Fatal("a handler that panics succeeded")
		}
	}
	broken = false
	if err := bus.Call(t.Context(), created); err != nil || !b.IsClosed() {
		t.Errorf("the sound handler returned %v and the breaker is %v, want no error and closed", err, b.State())
	}
}

func TestRetriesUntilTheHandlerSucceeds(t *testing.T) {
	bus, runs := new(eventbus.Bus), 0
	bus.Register("user", "created", func(context.Context, eventbus.Data) error {
		if runs++; runs < 3 {
			return errors.New("not yet")
		}
		return nil
	}, under(retrypolicy.NewWithDefaults[any]()))
	if err := bus.Call(t.Context(), created); err != nil || runs != 3 {
		t.Errorf("Call returned %v after %d runs, want nil after 3", err, runs)
	}
}

func TestPermanentErrorsAreNotRetried(t *testing.T) {
	broken := errors.New("broken")
	permanent := eventbus.Permanent(broken)
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"other error", broken, 4},
		{"permanent", permanent, 1},
		{"wrapped", fmt.Errorf("send: %w", permanent), 1},
		{"joined", errors.Join(errors.New("other"), permanent), 1},
		{"own dispatch", &eventbus.HandlerError{Err: permanent}, 1},
		{"decode error", &eventbus.DecodeError{Err: broken}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			note := func(what string) func(failsafe.ExecutionEvent[any]) {
				return func(failsafe.ExecutionEvent[any]) { got = append(got, what) }
			}
			outer := retrypolicy.NewBuilder[any]().WithMaxAttempts(2).ReturnLastFailure().Build()
			breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(100).Build()
			inner := retrypolicy.NewBuilder[any]().WithMaxAttempts(3).OnSuccess(note("success")).OnFailure(note("failure")).
				OnAbort(note("abort")).OnRetry(note("retry")).OnRetriesExceeded(note("exceeded")).ReturnLastFailure().Build()
			bus, runs := new(eventbus.Bus), new(atomic.Int32)
			bus.Register("user", "created", failing(runs, tt.err), under(outer, breaker, inner))
			err := bus.Call(t.Context(), created)
			if !errors.Is(err, broken) {
				t.Errorf("Call returned %v, want the handler's error", err)
			}
			// Three attempts by the inner policy, which then lets the outer one's second
			// attempt through once.
			if n := int(runs.Load()); n != tt.want {
				t.Errorf("the handler ran %d times, want %d", n, tt.want)
			}
			if tt.want > 1 {
				return
			}
			if h, _ := errors.AsType[*eventbus.HandlerError](err); h.Err != tt.err {
				t.Errorf("the handler's error came back as %#v", h.Err)
			}
			if n := breaker.Metrics().Failures(); n != 1 {
				t.Errorf("the breaker between the two counted %d failures, want 1", n)
			}
			if len(got) != 0 {
				t.Errorf("the retry policy called its listeners: %v", got)
			}
		})
	}
}

func TestParamsThatDoNotFitAreNotRetried(t *testing.T) {
	bus := new(eventbus.Bus)
	attempts := 0
	policy := retrypolicy.NewBuilder[any]().OnRetry(func(failsafe.ExecutionEvent[any]) { attempts++ }).Build()
	eventbus.On(bus, "user", "created", func(context.Context, int) error { return nil }, under(policy))
	err := bus.Call(t.Context(), eventbus.MustData("user", "created", "text"))
	if _, ok := errors.AsType[*eventbus.DecodeError](err); !ok || attempts != 0 {
		t.Errorf("Call returned %v after %d retries, want a DecodeError and none", err, attempts)
	}
}

func TestFallbackServesPermanentErrorsToo(t *testing.T) {
	bus, runs := new(eventbus.Bus), new(atomic.Int32)
	bus.Register("user", "created", failing(runs, eventbus.Permanent(errors.New("broken"))),
		under(fallback.NewWithResult[any](nil), retrypolicy.NewWithDefaults[any]()))
	if err := bus.Call(t.Context(), created); err != nil || runs.Load() != 1 {
		t.Errorf("Call returned %v after %d runs, want nil after 1", err, runs.Load())
	}
}

// A handler that is put off with its context finds that alive.
func TestRetryLeavesTheContextAlone(t *testing.T) {
	bus := new(eventbus.Bus)
	var kept []context.Context
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		kept = append(kept, ctx)
		if len(kept) == 1 {
			return errors.New("again")
		}
		return eventbus.Permanent(errors.New("stop"))
	}, under(retrypolicy.NewWithDefaults[any]()))
	if err := bus.Call(t.Context(), created); err == nil {
		t.Error("Call returned nil")
	}
	for i, ctx := range kept {
		if ctx.Err() != nil {
			t.Errorf("the context of run %d is %v", i+1, ctx.Err())
		}
	}
}

// foreign is a context that package context watches by a goroutine for each child that
// isn't cancelled, which TestMain would find.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func TestRetryLeavesNothingBehind(t *testing.T) {
	bus, runs := new(eventbus.Bus), new(atomic.Int32)
	bus.Register("user", "created", failing(runs, nil), under(retrypolicy.NewWithDefaults[any]()))
	if err := bus.Call(foreign{t.Context(), make(chan struct{})}, created); err != nil {
		t.Error(err)
	}
}

func TestEachRegistrationHasPoliciesOfItsOwn(t *testing.T) {
	var made []eventbus.Handler
	breakers := map[string]circuitbreaker.CircuitBreaker[any]{}
	perHandler := resilience.With(func(h eventbus.Handler) []failsafe.Policy[any] {
		made = append(made, h)
		b := circuitbreaker.NewBuilder[any]().WithDelay(time.Hour).Build()
		breakers[h.Action] = b
		return []failsafe.Policy[any]{b}
	})
	bus, runs := eventbus.New(nil, perHandler), new(atomic.Int32)
	bus.Register("user", "created", failing(runs, errors.New("broken")))
	bus.Register("user", "deleted", failing(runs, nil))
	if diff := cmp.Diff(slices.Collect(bus.Handlers()), made); diff != "" {
		t.Errorf("With was asked for policies of (-want +got):\n%s", diff)
	}
	for range 3 {
		if err := errors.Join(bus.Call(t.Context(), created), bus.Call(t.Context(), eventbus.MustData("user", "deleted", nil))); err == nil {
			t.Error("the broken handler succeeded")
		}
	}
	if !breakers["created"].IsOpen() || !breakers["deleted"].IsClosed() || runs.Load() != 1+3 || len(made) != 2 {
		t.Errorf("the breakers are %v and %v after %d runs of the handlers and %d calls for policies; want open, closed, 4 and 2",
			breakers["created"].State(), breakers["deleted"].State(), runs.Load(), len(made))
	}
}

func TestWithoutPoliciesTheHandlerRunsAsItIs(t *testing.T) {
	bus := new(eventbus.Bus)
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		if _, _, ok := resilience.From(ctx); ok {
			t.Error("the handler runs under With")
		}
		return nil
	}, under())
	if err := bus.Call(t.Context(), created); err != nil {
		t.Error(err)
	}
}

func TestInterceptedDispatchIsRetriedWhole(t *testing.T) {
	bus, runs := new(eventbus.Bus), new(atomic.Int32)
	bus.Intercept(under(retrypolicy.NewWithDefaults[any]()))
	bus.Register("user", "created", failing(runs, nil))
	bus.Register("user", "created", failing(runs, errors.New("broken")))
	if err := bus.Publish(t.Context(), created); err == nil || runs.Load() != 6 {
		t.Errorf("Publish returned %v after %d runs of two handlers, want an error after 6", err, runs.Load())
	}
}

func TestListenersSeeHandlerAndEvent(t *testing.T) {
	seen := make(chan string, 100)
	note := func(what string, ctx context.Context) {
		h, data, ok := resilience.From(ctx)
		seen <- fmt.Sprint(what, ": ", h, " ", data, " ", ok)
	}
	event := func(what string) func(failsafe.ExecutionEvent[any]) {
		return func(e failsafe.ExecutionEvent[any]) { note(what, e.Context()) }
	}
	done := func(what string) func(failsafe.ExecutionDoneEvent[any]) {
		return func(e failsafe.ExecutionDoneEvent[any]) { note(what, e.Context()) }
	}
	full := bulkhead.NewBuilder[any](1).OnFull(event("full")).Build()
	full.TryAcquirePermit()
	limited := ratelimiter.NewBurstyBuilder[any](1, time.Hour).OnRateLimitExceeded(event("limited")).Build()
	limited.TryAcquirePermit()

	for _, tt := range []struct {
		name    string
		policy  failsafe.Policy[any]
		handler eventbus.Func
	}{
		{"retry", retrypolicy.NewBuilder[any]().WithMaxAttempts(2).OnRetry(event("retry")).Build(), nil},
		{"open", circuitbreaker.NewBuilder[any]().OnOpen(func(e circuitbreaker.StateChangedEvent) { note("open", e.Context()) }).Build(), nil},
		{"full", full, nil},
		{"limited", limited, nil},
		{"fallback", fallback.NewBuilderWithResult[any](nil).OnFallbackExecuted(done("fallback")).Build(), nil},
		{"timeout", timeout.NewBuilder[any](1).OnTimeoutExceeded(done("timeout")).Build(), func(ctx context.Context, _ eventbus.Data) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		{"hedge", hedgepolicy.NewBuilderWithDelay[any](0).OnHedge(event("hedge")).CancelIf(func(any, error) bool { return false }).Build(), nil},
		{"handler", retrypolicy.NewBuilder[any]().WithMaxAttempts(1).Build(), func(ctx context.Context, _ eventbus.Data) error {
			note("handler", ctx)
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := new(eventbus.Bus)
			if tt.handler == nil {
				tt.handler = func(context.Context, eventbus.Data) error { return errors.New("broken") }
			}
			bus.Handle(eventbus.Handler{Domain: eventbus.Any, Action: "created", Name: "mail.Welcome"}, tt.handler, under(tt.policy))
			if err := bus.Call(t.Context(), created); (err == nil) != (tt.name == "fallback" || tt.name == "handler") {
				t.Errorf("Call returned %v", err)
			}
			want := tt.name + ": */created (mail.Welcome) user/created true"
			if got := <-seen; got != want {
				t.Errorf("the listener saw %q, want %q", got, want)
			}
		})
	}
	if _, _, ok := resilience.From(t.Context()); ok {
		t.Error("From found a handler in a context without one")
	}
}

// goroutine names the goroutine it is called on.
func goroutine() string {
	buf := make([]byte, 64)
	name, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("["))
	return string(name)
}

func TestWhereHandlersRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy failsafe.Policy[any]
		mine   bool
	}{
		{"retry", retrypolicy.NewWithDefaults[any](), true},
		{"circuit breaker", circuitbreaker.NewBuilder[any]().WithFailureThreshold(9).Build(), true},
		{"bulkhead", bulkhead.New[any](1), true},
		{"rate limiter", ratelimiter.NewBursty[any](9, time.Hour), true},
		{"timeout", timeout.New[any](time.Hour), true},
		{"fallback", fallback.NewWithError[any](errors.New("x")), true},
		{"adaptive limiter", adaptivelimiter.NewWithDefaults[any](), true},
		{"adaptive throttler", adaptivethrottler.NewWithDefaults[any](), true},
		{"hedge", hedgepolicy.NewWithDelay[any](time.Hour), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus, me := new(eventbus.Bus), goroutine()
			var on []string
			bus.Register("user", "created", func(context.Context, eventbus.Data) error {
				on = append(on, goroutine())
				return errors.New("broken")
			}, under(tt.policy))
			if err := bus.Call(t.Context(), created); err == nil {
				t.Error("Call returned nil")
			}
			for _, g := range on {
				if (g == me) != tt.mine {
					t.Errorf("the handler ran on %s of %v, called on %s", g, on, me)
				}
			}
			if len(on) == 0 {
				t.Error("the handler didn't run")
			}
		})
	}
}

func TestWaitingBetweenRetriesEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	policy := retrypolicy.NewBuilder[any]().WithDelay(time.Hour).
		OnRetryScheduled(func(failsafe.ExecutionScheduledEvent[any]) { cancel() }).Build()
	bus, runs := new(eventbus.Bus), new(atomic.Int32)
	bus.Register("user", "created", failing(runs, errors.New("broken")), under(policy))
	if err := bus.Call(ctx, created); !errors.Is(err, context.Canceled) || runs.Load() != 1 {
		t.Errorf("Call returned %v after %d runs, want context.Canceled after 1", err, runs.Load())
	}
}

func TestRetryReturnsTheContextsErrorOnceThatHasEnded(t *testing.T) {
	for _, result := range []error{nil, errors.New("broken"), eventbus.Permanent(errors.New("broken"))} {
		ctx, cancel := context.WithCancel(t.Context())
		bus, runs := new(eventbus.Bus), 0
		bus.Register("user", "created", func(context.Context, eventbus.Data) error { runs++; cancel(); return result }, under(retrypolicy.NewWithDefaults[any]()))
		if err := bus.Call(ctx, created); !errors.Is(err, context.Canceled) || runs != 1 {
			t.Errorf("for a handler that returns %v, Call returned %v after %d runs; want context.Canceled after 1", result, err, runs)
		}
	}
}

func TestTimeoutWaitsForTheHandler(t *testing.T) {
	bus, ended := new(eventbus.Bus), false
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		<-ctx.Done()
		for range 100 {
			runtime.Gosched()
		}
		ended = true // the race detector sees one who runs on
		return ctx.Err()
	}, under(timeout.New[any](1)))
	if err := bus.Call(t.Context(), created); !errors.Is(err, timeout.ErrExceeded) || !ended {
		t.Errorf("Call returned %v, and that the handler had ended is %t; want timeout.ErrExceeded and true", err, ended)
	}
}

func TestHedgeReturnsWithTheFirstResult(t *testing.T) {
	bus := new(eventbus.Bus)
	var runs atomic.Int32
	ended := make(chan error, 1)
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		if runs.Add(1) == 1 { // the first attempt hangs until it is told to stop, and then panics
			<-ctx.Done()
			ended <- ctx.Err()
			panic("late")
		}
		return nil
	}, under(hedgepolicy.NewBuilderWithDelay[any](time.Millisecond).WithMaxHedges(1).Build()))
	if err := bus.Call(t.Context(), created); err != nil {
		t.Errorf("Call returned %v, want the second attempt's success", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first attempt's context ended with %v", err)
	}
}

func TestMisusePanicsAtWiring(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"no function", "the function that makes the policies is nil"},
		{"nil policy", "resilience: policy 1 of user/created (resilience_test.TestMisusePanicsAtWiring.func"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, tt.want) {
					t.Errorf("the panic says %q, want %q", text, tt.want)
				}
			}()
			if tt.name == "no function" {
				resilience.With(nil)
				return
			}
			new(eventbus.Bus).Register("user", "created", func(context.Context, eventbus.Data) error { return nil },
				under(retrypolicy.NewWithDefaults[any](), nil))
		})
	}
}

func BenchmarkRetry(b *testing.B) {
	bus := new(eventbus.Bus)
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { return nil }, under(retrypolicy.NewWithDefaults[any]()))
	for b.Loop() {
		if err := bus.Call(b.Context(), created); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFailsafeAlone(b *testing.B) {
	executor := failsafe.With(failsafe.Policy[any](retrypolicy.NewWithDefaults[any]()))
	for b.Loop() {
		if err := executor.WithContext(b.Context()).RunWithExecution(func(failsafe.Execution[any]) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
