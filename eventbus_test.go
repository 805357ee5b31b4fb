package eventbus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
)

var created = eventbus.MustData("user", "created", nil)

// trace collects what handlers say, in order.
type trace []string

func (tr *trace) handler(name string, err error) eventbus.Func {
	return func(context.Context, eventbus.Data) error {
		*tr = append(*tr, name)
		return err
	}
}

func (tr *trace) middleware(name string) eventbus.Middleware {
	return func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			*tr = append(*tr, name)
			return next(ctx, d)
		}
	}
}

func nop(context.Context, eventbus.Data) error { return nil }

// goroutine returns the header that names the goroutine in its stack.
func goroutine() string {
	buf := make([]byte, 64)
	head, _, _ := strings.Cut(string(buf[:runtime.Stack(buf, false)]), "[")
	return head
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// panicOf returns what f panics with, as text.
func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return "no panic"
}

// Promise 1.
func TestHandlersRunInOrderOnTheCallersGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails where a goroutine is left behind
		var bus eventbus.Bus
		var tr trace
		var where []string
		for i, at := range [][2]string{{"user", "created"}, {eventbus.Any, eventbus.Any}, {"user", "created"}, {"user", eventbus.Any}, {"user", "deleted"},
			{eventbus.Any, "created"}, {"order", eventbus.Any}, {"user", "created"}, {eventbus.Any, eventbus.Any}} {
			bus.Register(at[0], at[1], func(context.Context, eventbus.Data) error {
				tr = append(tr, fmt.Sprint(i, at))
				where = append(where, goroutine())
				return nil
			})
		}
		want := trace{"0 [user created]", "1 [* *]", "2 [user created]", "3 [user *]", "5 [* created]", "7 [user created]", "8 [* *]"}
		for name, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
			tr, where = nil, nil
			if err := dispatch(t.Context(), created); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			check(t, name+": order", tr, want)
			check(t, name+": goroutines", slices.Compact(where), []string{goroutine()})
		}
	})
}

// Promises 2 and 3.
func TestCallStopsAndPublishJoins(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	setup := func() (*eventbus.Bus, *trace) {
		var bus eventbus.Bus
		tr := new(trace)
		bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "A"}, tr.handler("a", nil))
		bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "B"}, tr.handler("b", first))
		bus.Handle(eventbus.Handler{Domain: eventbus.Any, Action: "created", Name: "C"}, tr.handler("c", second))
		bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "D"}, tr.handler("d", nil))
		return &bus, tr
	}

	bus, tr := setup()
	err := bus.Call(t.Context(), created)
	check(t, "Call runs", *tr, trace{"a", "b"})
	if !errors.Is(err, first) || errors.Is(err, second) {
		t.Errorf("Call: %v, want the first error alone", err)
	}
	failed, ok := err.(*eventbus.HandlerError)
	if !ok {
		t.Fatalf("Call returned a %T, want *HandlerError", err)
	}
	check(t, "the event in the error", failed.Domain+"/"+failed.Action, "user/created")
	check(t, "the message", err.Error(), "user/created: handler B: first")

	bus, tr = setup()
	err = bus.Publish(t.Context(), created)
	check(t, "Publish runs", *tr, trace{"a", "b", "c", "d"})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("Publish returned a %T, want joined errors", err)
	}
	var causes []error
	for _, e := range joined.Unwrap() {
		causes = append(causes, errors.Unwrap(e.(*eventbus.HandlerError)))
	}
	if !slices.Equal(causes, []error{first, second}) {
		t.Errorf("Publish joined %v, want first and second", causes)
	}
	if !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("errors.Is doesn't reach both causes in %v", err)
	}
	check(t, "the joined message names the event as dispatched", err.Error(),
		"user/created: handler B: first\nuser/created: handler C: second")
}

type stopError struct{ code int }

func (stopError) Error() string { return "stop" }

func TestErrorsAsReachesTheHandlersError(t *testing.T) {
	var bus eventbus.Bus
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { return fmt.Errorf("deep: %w", stopError{7}) })
	for name, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
		if e, ok := errors.AsType[stopError](dispatch(t.Context(), created)); !ok || e.code != 7 {
			t.Errorf("%s: errors.As found %v, %v", name, e, ok)
		}
	}
}

// Promise 4.
func TestPanics(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		name  string
		value any
		text  string
	}{
		{"text", "boom", "panic: boom"},
		{"error", fmt.Errorf("wrapped: %w", cause), "panic: wrapped: cause"},
		{"Data keeps its params to itself", eventbus.MustData("a", "b", "secret"), "panic: a/b"},
		{"a struct may hold params", struct{ Password string }{"secret"}, "panic: a value of type struct { Password string }"},
		{"bytes may be params", []byte("secret"), "panic: a value of type []uint8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tr trace
			var bus eventbus.Bus
			bus.Register("user", "created", func(context.Context, eventbus.Data) error { panic(tt.value) })
			bus.Register("user", "created", tr.handler("next", nil))
			for name, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
				tr = nil
				err := dispatch(t.Context(), created)
				p, ok := errors.AsType[*eventbus.PanicError](err)
				if !ok {
					t.Fatalf("%s: %v, want a *PanicError", name, err)
				}
				check(t, name+": text", p.Error(), tt.text)
				if !reflect.DeepEqual(p.Value, tt.value) {
					t.Errorf("%s: value %v, want %v", name, p.Value, tt.value)
				}
				if !strings.Contains(string(p.Stack), "TestPanics") {
					t.Errorf("%s: the stack doesn't show who panicked:\n%s", name, p.Stack)
				}
				if name == "Publish" {
					check(t, "Publish goes on", tr, trace{"next"})
				}
				if _, isErr := tt.value.(error); errors.Is(err, cause) != isErr {
					t.Errorf("%s: errors.Is(err, cause) = %v", name, !isErr)
				}
			}
		})
	}
}

// Promise 4, with middleware: what it counts must not be lost to a panic.
func TestMiddlewareSeesPanicsAsErrors(t *testing.T) {
	var seen []error
	watch := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			err := next(ctx, d)
			seen = append(seen, err)
			return err
		}
	}
	boom := func(eventbus.Handler, eventbus.Func) eventbus.Func {
		return func(context.Context, eventbus.Data) error { panic("middleware") }
	}
	handler := func(context.Context, eventbus.Data) error { panic("handler") }
	for _, tt := range []struct {
		name string
		bus  *eventbus.Bus
		mw   []eventbus.Middleware
		seen int
		text string
	}{
		{"of the registration", eventbus.New(nil), []eventbus.Middleware{watch}, 1, "panic: handler"},
		{"of the bus", eventbus.New(nil, watch), nil, 1, "panic: handler"},
		{"both", eventbus.New(nil, watch), []eventbus.Middleware{watch}, 2, "panic: handler"},
		{"that panics itself", eventbus.New(nil), []eventbus.Middleware{boom}, 0, "panic: middleware"},
		{"of the bus, that panics itself", eventbus.New(nil, boom, watch), []eventbus.Middleware{watch}, 0, "panic: middleware"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			var tr trace
			tt.bus.Register("user", "created", handler, tt.mw...)
			tt.bus.Register("order", "created", tr.handler("after", nil))
			p, ok := errors.AsType[*eventbus.PanicError](tt.bus.Publish(t.Context(), created))
			if !ok {
				t.Fatal("no *PanicError")
			}
			check(t, "the panic returned", p.Error(), tt.text)
			check(t, "times seen by middleware", len(seen), tt.seen)
			for _, err := range seen {
				if _, ok := errors.AsType[*eventbus.PanicError](err); !ok {
					t.Errorf("middleware saw %v, want the panic", err)
				}
			}
		})
	}
}

func TestInterceptorPanics(t *testing.T) {
	log, lines := recordingLogger(slog.LevelError)
	bus := eventbus.New(log)
	bus.Intercept(func(eventbus.Handler, eventbus.Func) eventbus.Func {
		return func(context.Context, eventbus.Data) error { panic("interceptor") }
	})
	bus.Register("user", "created", nop)
	err := bus.Call(t.Context(), created)
	if p, ok := errors.AsType[*eventbus.PanicError](err); !ok || p.Value != "interceptor" {
		t.Fatalf("got %v, want the *PanicError", err)
	}
	check(t, "message", err.Error(), "user/created: handler Call: panic: interceptor")
	check(t, "logged", len(lines()), 1)
}

// Promise 4: a panic(nil) under the old rules, where recover returns nil for it.
func TestPanicNil(t *testing.T) {
	out := child(t, "panicnil", "GODEBUG=panicnil=1")
	check(t, "under panicnil=1", out, "Call: *eventbus.PanicError <nil>\nPublish: *eventbus.PanicError <nil>, next ran\nmiddleware saw *eventbus.PanicError\n")
}

func panicNil(w io.Writer) {
	var bus eventbus.Bus
	ran := ""
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { panic(nil) })
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { ran = ", next ran"; return nil })
	for _, d := range []struct {
		name string
		fn   eventbus.Func
	}{{"Call", bus.Call}, {"Publish", bus.Publish}} {
		ran = ""
		p, _ := errors.AsType[*eventbus.PanicError](d.fn(context.Background(), created))
		fmt.Fprintf(w, "%s: %T %v%s\n", d.name, p, p.Value, ran)
	}
	bus.Register("user", "deleted", func(context.Context, eventbus.Data) error { panic(nil) }, func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			fmt.Fprintf(w, "middleware saw %T\n", next(ctx, d))
			return nil
		}
	})
	if err := bus.Call(context.Background(), eventbus.MustData("user", "deleted", nil)); err != nil {
		fmt.Fprintln(w, err)
	}
}

// Promise 4: Goexit ends the goroutine, and is neither an error nor a log line.
func TestGoexitPasses(t *testing.T) {
	for _, mw := range [][]eventbus.Middleware{nil, {func(_ eventbus.Handler, next eventbus.Func) eventbus.Func { return next }}} {
		log, lines := recordingLogger(slog.LevelError)
		bus := eventbus.New(log, mw...)
		var after, returned atomic.Bool
		bus.Register("user", "created", func(context.Context, eventbus.Data) error { runtime.Goexit(); return nil })
		bus.Register("user", "created", func(context.Context, eventbus.Data) error { after.Store(true); return nil })
		var wg sync.WaitGroup
		for _, dispatch := range []eventbus.Func{bus.Call, bus.Publish} {
			wg.Go(func() {
				_ = dispatch(context.Background(), created)
				returned.Store(true)
			})
		}
		wg.Wait()
		check(t, "went on", [3]bool{after.Load(), returned.Load(), len(lines()) > 0}, [3]bool{})
	}
}

// Promise 5.
func TestADispatchRunsWhatWasRegisteredWhenItBegan(t *testing.T) {
	for _, wild := range []string{"user", eventbus.Any} {
		t.Run("domain "+wild, func(t *testing.T) {
			var bus eventbus.Bus
			var tr trace
			var unregisterB func()
			bus.Register("user", "created", func(context.Context, eventbus.Data) error {
				tr = append(tr, "a")
				bus.Register(wild, "created", tr.handler("new", nil))
				unregisterB()
				unregisterB()
				return nil
			})
			unregisterB = bus.Register(wild, "created", tr.handler("b", nil))
			bus.Register("user", "created", tr.handler("c", nil))
			for range 2 {
				if err := bus.Call(t.Context(), created); err != nil {
					t.Fatal(err)
				}
			}
			check(t, "two dispatches", tr, trace{"a", "b", "c", "a", "c", "new"})
		})
	}
}

func TestUnregisterLeavesTheRest(t *testing.T) {
	var bus eventbus.Bus
	var tr trace
	var unregister []func()
	const n = 200
	for i := range n {
		unregister = append(unregister, bus.Register("d"+fmt.Sprint(i%10), "a"+fmt.Sprint(i/20), tr.handler(fmt.Sprint(i), nil)))
	}
	for i := 0; i < n; i += 2 {
		unregister[i]()
	}
	var want trace
	for i := range n {
		if i%2 == 1 {
			want = append(want, fmt.Sprintf("d%d/a%d", i%10, i/20))
		}
	}
	var got trace
	for h := range bus.Handlers() {
		got = append(got, h.Domain+"/"+h.Action)
	}
	check(t, "left", got, want)
	for i := range n {
		unregister[i]()
		unregister[i]()
	}
	for h := range bus.Handlers() {
		t.Errorf("%v is left", h)
	}
	if err := bus.Call(t.Context(), eventbus.MustData("d1", "a0", nil)); err != nil || tr != nil {
		t.Errorf("unregistered handlers ran: %v, %v", tr, err)
	}
}

// Names that come and go, such as one for each request, leave nothing behind.
func TestUnregisterLeavesNothingBehind(t *testing.T) {
	var bus eventbus.Bus
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for i := range 10 { // so that the table has its final size
		bus.Register("user", fmt.Sprint(i), nop)
	}
	before := heap()
	for i := range 50_000 {
		bus.Register("reply", fmt.Sprint(i), nop)()
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	runtime.KeepAlive(&bus)
}

// Promise 5: unregistering returns while the handler is still running.
func TestUnregisterDoesNotWait(t *testing.T) {
	var bus eventbus.Bus
	running, release := make(chan bool), make(chan bool)
	unregister := bus.Register("user", "created", func(context.Context, eventbus.Data) error {
		close(running)
		<-release
		return nil
	})
	done := make(chan error)
	go func() { done <- bus.Call(context.Background(), created) }()
	<-running
	unregister()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Promise 6: a registration that is stuck in foreign code holds up nobody, and
// handlers may use every method of the bus.
func TestNoLockIsHeldWhileForeignCodeRuns(t *testing.T) {
	var bus eventbus.Bus
	inside, release := make(chan bool), make(chan bool)
	done := make(chan bool)
	go func() {
		defer close(done)
		bus.Register("user", "created", nop, func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
			close(inside)
			<-release
			return next
		})
	}()
	<-inside
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		unregister := bus.Register("order", "placed", nop)
		err := bus.Call(ctx, eventbus.MustData("order", "placed", nil))
		for range bus.Handlers() {
			unregister()
		}
		return err
	})
	if err := bus.Publish(t.Context(), created); err != nil {
		t.Error(err)
	}
	close(release)
	<-done
}

func TestConcurrentUse(t *testing.T) {
	var bus eventbus.Bus
	var calls atomic.Int64
	count := func(context.Context, eventbus.Data) error { calls.Add(1); return nil }
	bus.Register("user", "created", count)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				if err := bus.Call(context.Background(), created); err != nil {
					t.Error(err)
				}
				if err := bus.Publish(context.Background(), eventbus.MustData("user", fmt.Sprint(i%7), nil)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range 500 {
				at := [...]string{"user", eventbus.Any, "order"}[i%3]
				unregister := bus.Register(at, fmt.Sprint(i%7), nop)
				for range bus.Handlers() {
				}
				unregister()
			}
		})
	}
	wg.Wait()
	check(t, "calls of the handler that stayed", calls.Load(), int64(4*500))
	check(t, "handlers left", len(slices.Collect(bus.Handlers())), 1)
}

// Promise 7.
func TestUnhandledAndWildcardData(t *testing.T) {
	var bus eventbus.Bus
	for name, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
		if err := dispatch(t.Context(), created); err != nil {
			t.Errorf("%s of an unhandled event: %v", name, err)
		}
	}
	var tr trace
	for _, at := range [][2]string{{"user", "created"}, {"user", eventbus.Any}, {eventbus.Any, "created"}, {eventbus.Any, eventbus.Any}} {
		bus.Register(at[0], at[1], tr.handler(at[0]+"/"+at[1], nil))
	}
	for _, tt := range []struct {
		domain, action string
		want           trace
	}{
		{"user", "created", trace{"user/created", "user/*", "*/created", "*/*"}},
		{"user", "deleted", trace{"user/*", "*/*"}},
		{"order", "created", trace{"*/created", "*/*"}},
		{"order", "placed", trace{"*/*"}},
		{"*", "created", trace{"*/created", "*/*"}},
		{"user", "*", trace{"user/*", "*/*"}},
		{"*", "*", trace{"*/*"}},
	} {
		tr = nil
		if err := bus.Call(t.Context(), eventbus.Data{Domain: tt.domain, Action: tt.action}); err != nil {
			t.Errorf("%s/%s: %v", tt.domain, tt.action, err)
		}
		check(t, tt.domain+"/"+tt.action, tr, tt.want)
	}
}

// Promise 8.
func TestTheContextPassesUntouched(t *testing.T) {
	type key struct{}
	untouchable := struct{ context.Context }{} // any method of it panics
	replaced := context.WithValue(context.Background(), key{}, "replaced")
	for _, tt := range []struct {
		name      string
		ctx, want context.Context
		mw        []eventbus.Middleware
	}{
		{"nil", nil, nil, nil},
		{"as it is", untouchable, untouchable, nil},
		{"as middleware passes it on", untouchable, replaced, []eventbus.Middleware{func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
			return func(_ context.Context, d eventbus.Data) error { return next(replaced, d) }
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, log := range []*slog.Logger{nil, slog.New(slog.DiscardHandler), slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))} {
				bus := eventbus.New(log, tt.mw...)
				var got []context.Context
				fail := errors.New("fail")
				bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error { got = append(got, ctx); return fail })
				bus.Intercept(func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
					return func(ctx context.Context, d eventbus.Data) error { return next(ctx, d) }
				})
				if err := bus.Call(tt.ctx, created); !errors.Is(err, fail) {
					t.Error(err)
				}
				if err := bus.Publish(tt.ctx, created); !errors.Is(err, fail) {
					t.Error(err)
				}
				if !slices.Equal(got, []context.Context{tt.want, tt.want}) {
					t.Errorf("handlers got %v", got)
				}
			}
		})
	}
}

// Promise 9: handlers and wrappers may keep what they get.
func TestRawParamsAreShared(t *testing.T) {
	var bus eventbus.Bus
	var kept [][]byte
	keep := func(_ context.Context, d eventbus.Data) error { kept = append(kept, d.RawParams); return nil }
	bus.Register("user", "created", keep)
	bus.Register("user", "created", keep)
	d := eventbus.MustData("user", "created", "ann")
	if err := bus.Publish(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for _, raw := range kept {
		if &raw[0] != &d.RawParams[0] || string(raw) != `"ann"` {
			t.Errorf("a handler got %s, not the producer's bytes", raw)
		}
	}
}

// Promise 11: wiring.
func TestMisusePanicsAndSaysWhere(t *testing.T) {
	ok := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func { return next }
	null := func(eventbus.Handler, eventbus.Func) eventbus.Func { return nil }
	var bus eventbus.Bus
	const needs = "a domain, an action (eventbus.Any for all) and a handler are needed"
	for _, tt := range []struct {
		name string
		do   func()
		want []string
	}{
		{"no domain", func() { bus.Register("", "created", nop) }, []string{`register ""/"created"`, "eventbus_test.go:", needs}},
		{"no action", func() { bus.Register("user", "", nop) }, []string{`register "user"/""`, "eventbus_test.go:", needs}},
		{"no handler", func() { bus.Register("user", "created", nil) }, []string{`register "user"/"created"`, "eventbus_test.go:", needs}},
		{"On without handler", func() { eventbus.On[int](&bus, "user", "created", nil) }, []string{`register "user"/"created"`, "eventbus_test.go:", needs}},
		{"Event.On without handler", func() { eventbus.Event[int]{Domain: "user", Action: "created"}.On(&bus, nil) }, []string{`register "user"/"created"`, needs}},
		{"Handle says the caller's source", func() { bus.Handle(eventbus.Handler{Domain: "user", Source: "here:1"}, nop) }, []string{"at here:1", needs}},
		{"middleware that returns nil", func() { bus.Register("user", "created", nop, ok, null) }, []string{"user/created", "eventbus_test.go:", "returned nil"}},
		{"nil middleware", func() { bus.Register("user", "created", nop, nil) }, []string{"nil"}},
		{"interceptor that returns nil", func() { bus.Intercept(null) }, []string{"eventbus_test.go:", "returned nil"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := panicOf(tt.do)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("panic %q doesn't say %q", text, want)
				}
			}
		})
	}
	var tr trace
	bus.Register("user", "created", tr.handler("works on", nil))
	if err := bus.Call(t.Context(), created); err != nil || len(tr) != 1 || len(slices.Collect(bus.Handlers())) != 1 {
		t.Errorf("after misuse: %v, %v, %v", tr, err, slices.Collect(bus.Handlers()))
	}
}

// Promise 11: run time.
func TestBadDataIsAnError(t *testing.T) {
	var tr trace
	exact, wild := new(eventbus.Bus), new(eventbus.Bus)
	exact.Register("user", "created", tr.handler("exact", nil))
	wild.Register(eventbus.Any, eventbus.Any, tr.handler("wild", nil))
	for name, bus := range map[string]*eventbus.Bus{"empty bus": new(eventbus.Bus), "exact": exact, "wildcard": wild} {
		for _, d := range []eventbus.Data{{}, {Domain: "user"}, {Action: "created"}} {
			for mode, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
				err := dispatch(t.Context(), d)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s %q/%q", mode, d.Domain, d.Action)) {
					t.Errorf("%s: %s of %+v: %v", name, mode, d, err)
				}
			}
		}
	}
	check(t, "handlers run", len(tr), 0)
}

// Promise 12.
func TestParamsStayOutOfLogsAndErrors(t *testing.T) {
	const secret = "s3cret"
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	bus := eventbus.New(log)
	eventbus.On(bus, "user", "created", func(context.Context, struct{ Password int }) error { return nil })
	bus.Register("user", "created", func(_ context.Context, d eventbus.Data) error { panic(d) })
	bus.Register("user", "created", func(_ context.Context, d eventbus.Data) error { panic(string(d.RawParams)[:0]) })
	d := eventbus.MustData("user", "created", map[string]string{"Password": secret})
	err := bus.Publish(t.Context(), d)
	log.Info("the event itself", "event", d)
	for what, text := range map[string]string{"the error": err.Error(), "the log": out.String(), "the event as text": fmt.Sprintf("%v %s %+v", d, d, d)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s quotes the params:\n%s", what, text)
		}
	}
	if got := strings.Count(out.String(), "handler failed"); got != 3 {
		t.Errorf("%d failures logged, want 3:\n%s", got, out.String())
	}
}

// recordingLogger returns a logger and what it has logged, a line each: level,
// message and attributes without source and stack.
func recordingLogger(level slog.Level) (*slog.Logger, func() []string) {
	var out bytes.Buffer
	h := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "stack" || a.Key == "source" {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(h), func() []string {
		return slices.Collect(func(yield func(string) bool) {
			for line := range strings.Lines(out.String()) {
				if !yield(strings.TrimSpace(line)) {
					return
				}
			}
		})
	}
}

func TestAFailureIsLoggedOnceByTheDispatchThatRanIt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		outer func(error) error
		want  []string
	}{
		{"the outer passes the error on", func(err error) error { return err }, []string{"order/placed"}},
		{"the outer wraps it", func(err error) error { return fmt.Errorf("outer: %w", err) }, []string{"order/placed"}},
		{"the outer joins it", func(err error) error { return errors.Join(err, errors.New("more")) }, []string{"order/placed"}},
		{"the outer swallows it", func(error) error { return nil }, []string{"order/placed"}},
		{"the outer fails for a reason of its own", func(error) error { return errors.New("own") }, []string{"order/placed", "user/created"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, lines := recordingLogger(slog.LevelError)
			bus := eventbus.New(log)
			bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return errors.New("inner") })
			bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
				return tt.outer(bus.Publish(ctx, eventbus.MustData("order", "placed", nil)))
			})
			_ = bus.Call(t.Context(), created)
			var got []string
			for _, line := range lines() {
				_, rest, _ := strings.Cut(line, "domain=")
				domain, rest, _ := strings.Cut(rest, " action=")
				action, _, _ := strings.Cut(rest, " ")
				got = append(got, domain+"/"+action)
			}
			check(t, "logged", got, tt.want)
		})
	}
}

func TestWhatIsLogged(t *testing.T) {
	log, lines := recordingLogger(slog.LevelDebug)
	bus := eventbus.New(log)
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"}, func(context.Context, eventbus.Data) error { return errors.New("no mail") })
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "audit.Note"}, nop)
	_ = bus.Publish(t.Context(), created)
	_ = bus.Call(t.Context(), eventbus.MustData("user", "deleted", nil))
	check(t, "lines", lines(), []string{
		`level=DEBUG msg="eventbus: dispatch" by=Publish domain=user action=created`,
		`level=ERROR msg="eventbus: handler failed" domain=user action=created handler=mail.Welcome err="no mail"`,
		`level=DEBUG msg="eventbus: dispatch" by=Call domain=user action=deleted`,
	})
}

func TestMiddlewareOrder(t *testing.T) {
	var tr trace
	bus := eventbus.New(nil, tr.middleware("bus 1"), tr.middleware("bus 2"))
	bus.Register("user", "created", tr.handler("handler", nil), tr.middleware("own 1"), tr.middleware("own 2"))
	bus.Intercept(tr.middleware("intercept 1"), tr.middleware("intercept 2"))
	bus.Intercept(tr.middleware("intercept 3"))
	if err := bus.Call(t.Context(), created); err != nil {
		t.Fatal(err)
	}
	check(t, "order", tr, trace{"intercept 1", "intercept 2", "intercept 3", "bus 1", "bus 2", "own 1", "own 2", "handler"})
}

func TestMiddlewareIsAppliedOnceAtRegistration(t *testing.T) {
	var seen []eventbus.Handler
	note := func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		seen = append(seen, h)
		return next
	}
	bus := eventbus.New(nil, note)
	bus.Handle(eventbus.Handler{Domain: "user", Action: eventbus.Any, Name: "n", Source: "s"}, nop, note)
	bus.Intercept(note)
	for range 3 {
		if err := bus.Publish(t.Context(), created); err != nil {
			t.Fatal(err)
		}
	}
	for i := range seen[2:] {
		if !strings.Contains(seen[2+i].Source, "eventbus_test.go:") {
			t.Errorf("the source of an interceptor is %q", seen[2+i].Source)
		}
		seen[2+i].Source = ""
	}
	h := eventbus.Handler{Domain: "user", Action: "*", Name: "n", Source: "s"}
	check(t, "applied to", seen, []eventbus.Handler{h, h, {Name: "Call"}, {Name: "Publish"}})
}

func TestInterceptWrapsWholeDispatches(t *testing.T) {
	var got []string
	var bus eventbus.Bus
	bus.Intercept(func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			err := next(ctx, d)
			got = append(got, fmt.Sprint(h.Name, " ", d, ": ", err))
			return err
		}
	})
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "a"}, func(context.Context, eventbus.Data) error { return errors.New("1") })
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "b"}, func(context.Context, eventbus.Data) error { return errors.New("2") })
	_ = bus.Call(t.Context(), created)
	_ = bus.Publish(t.Context(), created)
	_ = bus.Publish(t.Context(), eventbus.MustData("nobody", "cares", nil))
	check(t, "intercepted", got, []string{
		"Call user/created: user/created: handler a: 1",
		"Publish user/created: user/created: handler a: 1\nuser/created: handler b: 2",
		"Publish nobody/cares: <nil>",
	})
	if text := panicOf(func() { bus.Intercept() }); !strings.Contains(text, "dispatched already") || !strings.Contains(text, "eventbus_test.go:") {
		t.Errorf("Intercept after the first dispatch: %s", text)
	}
}

type service struct{ welcomed int }

func (s *service) Welcome(context.Context, eventbus.Data) error { s.welcomed++; return nil }
func (s *service) Greet(context.Context, string) error          { return nil }
func (service) ByValue(context.Context, eventbus.Data) error    { return nil }
func generic[T any](context.Context, T) error                   { return nil }
func typed(context.Context, struct{ ID int }) error             { return nil }

func named(b *eventbus.Bus, name string) {
	b.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: name, Source: "mine:1"}, nop)
}

type welcomer interface {
	Welcome(context.Context, eventbus.Data) error
}

func TestNamesAndSources(t *testing.T) {
	pkg := reflect.TypeFor[trace]().PkgPath()
	s := &service{}
	var w welcomer = s
	event := eventbus.Event[string]{Domain: "user", Action: "created"}
	closure := func(context.Context, eventbus.Data) error { return nil }
	for _, tt := range []struct {
		name     string
		register func(*eventbus.Bus)
		want     string
	}{
		{"function", func(b *eventbus.Bus) { b.Register("user", "created", nop) }, "nop"},
		{"method value", func(b *eventbus.Bus) { b.Register("user", "created", s.Welcome) }, "(*service).Welcome"},
		{"method value of a value", func(b *eventbus.Bus) { b.Register("user", "created", s.ByValue) }, "service.ByValue"},
		{"method value on an interface", func(b *eventbus.Bus) { b.Register("user", "created", w.Welcome) }, "welcomer.Welcome"},
		{"closure", func(b *eventbus.Bus) { b.Register("user", "created", closure) }, "TestNamesAndSources.func1"},
		{"On", func(b *eventbus.Bus) { eventbus.On(b, "user", "created", typed) }, "typed"},
		{"On a method", func(b *eventbus.Bus) { eventbus.On(b, "user", "created", s.Greet) }, "(*service).Greet"},
		{"On a generic instance", func(b *eventbus.Bus) { eventbus.On(b, "user", "created", generic[int]) }, "generic[...]"},
		{"generic instance", func(b *eventbus.Bus) { b.Register("user", "created", generic[eventbus.Data]) }, "generic[...]"},
		{"Event.On", func(b *eventbus.Bus) { event.On(b, s.Greet) }, "(*service).Greet"},
		{"Handle", func(b *eventbus.Bus) { b.Handle(eventbus.Handler{Domain: "user", Action: "created"}, nop) }, "nop"},
		{"Handle with a name", func(b *eventbus.Bus) { named(b, "mine") }, "mine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var bus eventbus.Bus
			pc := reflect.ValueOf(tt.register).Pointer()
			_, line := runtime.FuncForPC(pc).FileLine(pc)
			tt.register(&bus)
			got := slices.Collect(bus.Handlers())
			source := fmt.Sprintf("%s/eventbus_test.go:%d", pkg, line)
			name := path.Base(pkg) + "." + tt.want
			if tt.want == "mine" {
				name, source = "mine", "mine:1"
			}
			check(t, "handlers", got, []eventbus.Handler{{Domain: "user", Action: "created", Name: name, Source: source}})
		})
	}
}

func TestHandlersFollowsRegistrationOrder(t *testing.T) {
	var bus eventbus.Bus
	var want []eventbus.Handler
	for i := range 1000 {
		h := eventbus.Handler{Domain: fmt.Sprint(i * 7919 % 101), Action: []string{"a", "b", eventbus.Any}[i%3], Name: fmt.Sprint(i), Source: "s"}
		bus.Handle(h, nop)
		want = append(want, h)
	}
	check(t, "Handlers", slices.Collect(bus.Handlers()), want)
	for range bus.Handlers() {
		break // an early end is fine
	}
}

func TestASuccessfulDispatchAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	off := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	for name, log := range map[string]*slog.Logger{"nil logger": nil, "level off": off} {
		for _, n := range []int{0, 1, 10, 100} {
			for _, wild := range []bool{false, true} {
				if wild && n > 50 {
					continue // see the package comment
				}
				bus := eventbus.New(log)
				for range n {
					bus.Register("user", "created", nop)
				}
				if wild {
					bus.Register(eventbus.Any, eventbus.Any, nop)
				}
				for mode, dispatch := range map[string]eventbus.Func{"Call": bus.Call, "Publish": bus.Publish} {
					if got := testing.AllocsPerRun(1000, func() { _ = dispatch(ctx, created) }); got != 0 {
						t.Errorf("%s, %s to %d handlers, wildcard %v: %v allocations, want 0", name, mode, n, wild, got)
					}
				}
			}
		}
	}
}

func TestAFailureAllocatesForItsErrorOnly(t *testing.T) {
	var bus eventbus.Bus
	fail := errors.New("fail")
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { return fail })
	if got := testing.AllocsPerRun(1000, func() { _ = bus.Call(context.Background(), created) }); got > 1 {
		t.Errorf("a failing Call: %v allocations, want 1", got)
	}
}

// The root package is the standard library's, without what would drag servers,
// databases or test code into every program.
func TestDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard", ".")
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	root, n := reflect.TypeFor[eventbus.Bus]().PkgPath(), 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; n++ {
		var pkg struct {
			ImportPath string
			Standard   bool
		}
		if err := dec.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !pkg.Standard && pkg.ImportPath != root {
			t.Errorf("the root package depends on %s", pkg.ImportPath)
		}
		if slices.Contains([]string{"net/http", "database/sql", "testing"}, pkg.ImportPath) {
			t.Errorf("the root package depends on %s", pkg.ImportPath)
		}
	}
	if n < 20 {
		t.Errorf("go list named %d packages only", n)
	}
}
