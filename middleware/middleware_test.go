package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/middleware"
	"github.com/google/go-cmp/cmp"
)

var (
	errHandler = errors.New("smtp: 554")
	placed     = eventbus.MustData("order", "placed", map[string]string{"secret": "hunter2"})
	confirm    = eventbus.Handler{Domain: "order", Action: eventbus.Any, Name: "mail.Confirm"}
)

func TestWhen(t *testing.T) {
	for _, tt := range []struct {
		name string
		cond bool
		err  error
		ran  bool
	}{
		{"true runs", true, nil, true},
		{"true returns the handler's error", true, errHandler, true},
		{"false doesn't run and is no error", false, errHandler, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ran := false
			bus := eventbus.New(nil)
			ctx := metadata.With(t.Context(), "source", "shop")
			bus.Register("order", "placed", func(context.Context, eventbus.Data) error { ran = true; return tt.err },
				middleware.When(func(ctx context.Context, data eventbus.Data) bool {
					if metadata.Get(ctx, "source") != "shop" || !cmp.Equal(data, placed) {
						t.Errorf("the condition is given %v", data)
					}
					return tt.cond
				}))
			err := bus.Call(ctx, placed)
			if ran != tt.ran || errors.Is(err, errHandler) != (tt.cond && tt.err != nil) {
				t.Errorf("ran %v, error %v", ran, err)
			}
		})
	}
}

func TestMisuseIsToldAtTheWiring(t *testing.T) {
	for name, misuse := range map[string]func() eventbus.Middleware{
		"When(nil)":         func() eventbus.Middleware { return middleware.When(nil) },
		"Timeout(0)":        func() eventbus.Middleware { return middleware.Timeout(0) },
		"Timeout(negative)": func() eventbus.Middleware { return middleware.Timeout(-time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, "middleware: ") {
					t.Errorf("panic %q", v)
				}
			}()
			misuse()
		})
	}
}

func TestTimeout(t *testing.T) {
	late := "middleware: handler mail.Confirm ran out of its 1s: "
	sleep := func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, tt := range []struct {
		name     string
		caller   time.Duration // its deadline
		handler  func(context.Context) error
		wantErr  string // after the bus's "order/placed: handler mail.Confirm: "
		deadline bool   // the error matches context.DeadlineExceeded
		own      bool   // the error matches errHandler
		took     time.Duration
	}{
		{name: "in time",
			handler: func(ctx context.Context) error { return sleep(ctx, time.Second/2) },
			took:    time.Second / 2},
		{name: "out of time",
			handler: func(ctx context.Context) error { return sleep(ctx, time.Minute) },
			wantErr: late + "context deadline exceeded", deadline: true, took: time.Second},
		{name: "out of time, in words of its own",
			handler: func(ctx context.Context) error { _ = sleep(ctx, time.Minute); return errHandler },
			wantErr: late + "smtp: 554", deadline: true, own: true, took: time.Second},
		{name: "out of time, with the cause",
			handler: func(ctx context.Context) error { _ = sleep(ctx, time.Minute); return context.Cause(ctx) },
			wantErr: late + "context deadline exceeded", deadline: true, took: time.Second},
		{name: "out of time, then a panic",
			handler: func(ctx context.Context) error { panic(sleep(ctx, time.Minute)) },
			wantErr: late + "panic: context deadline exceeded", deadline: true, took: time.Second},
		{name: "an error in time",
			handler: func(context.Context) error { return errHandler },
			wantErr: "smtp: 554", own: true},
		{name: "a deadline of somebody else, in time",
			handler: func(context.Context) error { return context.DeadlineExceeded },
			wantErr: "context deadline exceeded", deadline: true},
		{name: "success after the deadline",
			handler: func(context.Context) error { time.Sleep(time.Minute); return nil },
			took:    time.Minute},
		{name: "a deaf handler is waited for",
			handler: func(context.Context) error { time.Sleep(time.Minute); return errHandler },
			wantErr: late + "smtp: 554", deadline: true, own: true, took: time.Minute},
		{name: "the caller's earlier deadline", caller: time.Second / 4,
			handler: func(ctx context.Context) error { return sleep(ctx, time.Minute) },
			wantErr: "context deadline exceeded", deadline: true, took: time.Second / 4},
		{name: "the caller's later deadline", caller: time.Minute,
			handler: func(ctx context.Context) error { return sleep(ctx, time.Hour) },
			wantErr: late + "context deadline exceeded", deadline: true, took: time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := eventbus.New(nil)
				returned := false
				bus.Handle(confirm, func(ctx context.Context, _ eventbus.Data) error {
					defer func() { returned = true }()
					return tt.handler(ctx)
				}, middleware.Timeout(time.Second))
				ctx, cancel := context.WithCancel(t.Context())
				if tt.caller > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tt.caller)
				}
				defer cancel()
				start := time.Now()
				err := bus.Call(ctx, placed)
				if took := time.Since(start); took != tt.took || !returned {
					t.Errorf("took %v, want %v; handler returned: %v", took, tt.took, returned)
				}
				got, want := "", ""
				if err != nil {
					got = err.Error()
				}
				if tt.wantErr != "" {
					want = "order/placed: handler mail.Confirm: " + tt.wantErr
				}
				if got != want {
					t.Errorf("error %q, want %q", got, want)
				}
				if errors.Is(err, context.DeadlineExceeded) != tt.deadline || errors.Is(err, errHandler) != tt.own {
					t.Errorf("what the error matches: %v", err)
				}
			})
		})
	}
}

func TestACancelledCallerRanOutOfNoTime(t *testing.T) {
	bus := eventbus.New(nil)
	bus.Handle(confirm, func(ctx context.Context, _ eventbus.Data) error { return ctx.Err() }, middleware.Timeout(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := bus.Call(ctx, placed)
	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Nested deadlines name the one that passed.
func TestTheEarlierOfTwoTimeoutsIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name         string
		outer, inner time.Duration
		want         string
	}{
		{"outer", time.Second, time.Minute, "ran out of its 1s: context deadline exceeded"},
		{"inner", time.Minute, 2 * time.Second, "ran out of its 2s: context deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := eventbus.New(nil, middleware.Timeout(tt.outer))
				bus.Handle(confirm, func(ctx context.Context, _ eventbus.Data) error { <-ctx.Done(); return ctx.Err() }, middleware.Timeout(tt.inner))
				err := bus.Call(t.Context(), placed)
				if err == nil || !strings.HasSuffix(err.Error(), tt.want) || strings.Count(err.Error(), "ran out") != 1 {
					t.Errorf("got %v, want …%s", err, tt.want)
				}
			})
		})
	}
}

func TestLog(t *testing.T) {
	type line map[string]any
	success := line{"level": "INFO", "msg": "event handled"}
	failure := line{"level": "ERROR", "msg": "event handler failed"}
	lost := line{"level": "ERROR", "msg": "event handler did not return"}
	panicky := func(eventbus.Handler, eventbus.Func) eventbus.Func {
		return func(context.Context, eventbus.Data) error { panic("of middleware") }
	}
	for _, tt := range []struct {
		name    string
		handler func() error
		inner   []eventbus.Middleware
		keys    []string
		level   slog.Level
		want    []line
	}{
		{name: "success", handler: func() error { return nil }, want: []line{success}},
		{name: "failure", handler: func() error { return errHandler }, want: []line{failure, {"err": "smtp: 554"}}},
		{name: "panic", handler: func() error { panic("boom") }, want: []line{failure, {"err": "panic: boom", "stack": "…"}}},
		{name: "panic of middleware", inner: []eventbus.Middleware{panicky}, want: []line{lost}},
		{name: "Goexit", handler: func() error { runtime.Goexit(); return nil }, want: []line{lost}},
		{name: "metadata keys that are named and there", handler: func() error { return nil },
			keys: []string{"request_id", "tenant", "missing"},
			want: []line{success, {"request_id": "r-17", "tenant": ""}}},
		{name: "a success below the level", handler: func() error { return nil }, level: slog.LevelError},
		{name: "a failure at the level", handler: func() error { return errHandler }, level: slog.LevelError,
			want: []line{failure, {"err": "smtp: 554"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var buf bytes.Buffer
				log := slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: tt.level}))
				keys := append([]string(nil), tt.keys...)
				bus := eventbus.New(nil, middleware.Log(log, keys...))
				clear(keys) // Log has its own
				bus.Handle(confirm, func(context.Context, eventbus.Data) error {
					time.Sleep(3 * time.Millisecond)
					return tt.handler()
				}, tt.inner...)
				ctx := metadata.WithAll(t.Context(), map[string]string{"request_id": "r-17", "tenant": "", "password": "hunter3"})
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = bus.Call(ctx, placed)
				}()
				<-done

				if strings.Contains(buf.String(), "hunter") {
					t.Errorf("the params, or metadata nobody named, are in the log:\n%s", &buf)
				}
				if tt.want == nil {
					if buf.Len() > 0 {
						t.Errorf("logged\n%s", &buf)
					}
					return
				}
				var got line
				if err := json.Unmarshal(buf.Bytes(), &got); err != nil {
					t.Fatalf("want one line, got %v:\n%s", err, &buf)
				}
				want := line{"time": got["time"], "domain": "order", "action": "placed", "handler": "mail.Confirm", "duration": 3e6}
				if tt.inner != nil {
					want["duration"] = 0.
				}
				for _, l := range tt.want {
					maps.Copy(want, l)
				}
				if stack, ok := got["stack"].(string); ok && strings.Contains(stack, "middleware_test.go") {
					got["stack"] = "…"
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestLogReturnsTheHandlersError(t *testing.T) {
	for name, log := range map[string]*slog.Logger{"a logger": slog.New(slog.DiscardHandler), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			fn := middleware.Log(log, "request_id")(confirm, func(context.Context, eventbus.Data) error { return errHandler })
			if err := fn(t.Context(), placed); err != errHandler {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestASilentLogAllocatesNothing(t *testing.T) {
	log := slog.New(slog.NewJSONHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelError}))
	fn := middleware.Log(log, "request_id")(confirm, func(context.Context, eventbus.Data) error { return nil })
	ctx := metadata.With(t.Context(), "request_id", "r-17")
	if n := testing.AllocsPerRun(100, func() { _ = fn(ctx, placed) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
