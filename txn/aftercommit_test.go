package txn_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
)

// pending returns what waits for the commit, as "name of domain/action".
func pending(ctx context.Context) (all []string) {
	for h, d := range txn.Pending(ctx) {
		all = append(all, h.Name+" of "+d.String())
	}
	return all
}

func TestOutsideATransaction(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mw      eventbus.Middleware
		wantRan bool
		want    error
	}{
		{"AfterCommit fails", txn.AfterCommit(), false, txn.ErrNoTx},
		{"AfterCommitOrNow runs the handler and returns its error", txn.AfterCommitOrNow(), true, errFn},
		{"Required fails", txn.Required(), false, txn.ErrNoTx},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ran := false
			bus := eventbus.New(nil)
			bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"},
				func(context.Context, eventbus.Data) error { ran = true; return errFn }, tt.mw)
			err := bus.Call(t.Context(), placed)
			if !errors.Is(err, tt.want) || ran != tt.wantRan {
				t.Errorf("ran %v, error %v; want %v, %v", ran, err, tt.wantRan, tt.want)
			}
			if tt.wantRan {
				return
			}
			if !eventbus.IsPermanent(err) {
				t.Error("trying again can't mend it, yet it isn't permanent")
			}
			for _, part := range []string{"order/placed", "mail.Confirm", "txn.Run"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q doesn't say %s", err, part)
				}
			}
		})
	}
}

func TestWithinATransaction(t *testing.T) {
	for _, tt := range []struct {
		name string
		mw   eventbus.Middleware
		want []string
	}{
		{"AfterCommit", txn.AfterCommit(), []string{"begin", "commit", "handler"}},
		{"AfterCommitOrNow", txn.AfterCommitOrNow(), []string{"begin", "commit", "handler"}},
		{"Required", txn.Required(), []string{"begin", "handler", "commit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, bus := new(engine), eventbus.New(nil)
			bus.Register("order", "placed", func(context.Context, eventbus.Data) error { e.note("handler"); return nil }, tt.mw)
			if err := e.run(t.Context(), nil, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, e.log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A request that is over by the time of the commit must not silence what the
// commit made true.
func TestTheContextAfterTheCommit(t *testing.T) {
	type key struct{}
	e, bus := new(engine), eventbus.New(nil)
	ran := false
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		ran = true
		if got := ctx.Value(key{}); got != "of the dispatch" {
			t.Errorf("value %v", got)
		}
		if err := ctx.Err(); err != nil || ctx.Done() != nil {
			t.Errorf("the context can end (%v)", err)
		}
		if _, err := txn.From[*engine](ctx); !errors.Is(err, txn.ErrNoTx) {
			t.Errorf("From: %v", err)
		}
		if diff := cmp.Diff(placed, d); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
		return nil
	}, txn.AfterCommit())
	err := e.run(t.Context(), nil, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(context.WithValue(ctx, key{}, "of the dispatch"))
		defer cancel()
		return bus.Call(ctx, placed)
	})
	if err != nil || !ran {
		t.Errorf("ran %v, error %v", ran, err)
	}
}

// What fails after the commit is no error of the run, and the rest still runs.
func TestFailuresAfterTheCommit(t *testing.T) {
	type failure struct{ Handler, Event, Err string }
	for _, tt := range []struct {
		name string
		fail func() error
		want failure
	}{
		{"error", func() error { return errFn }, failure{"bad", "order/placed", "fn failed"}},
		{"panic", func() error { panic("boom") }, failure{"bad", "order/placed", "panic: boom"}},
	} {
		inner := func(eventbus.Handler, eventbus.Func) eventbus.Func {
			return func(context.Context, eventbus.Data) error { return tt.fail() }
		}
		handler := func(context.Context, eventbus.Data) error { return tt.fail() }
		ok := func(context.Context, eventbus.Data) error { return nil }
		for where, register := range map[string]func(*eventbus.Bus, eventbus.Handler){
			"of a handler": func(b *eventbus.Bus, h eventbus.Handler) { b.Handle(h, handler, txn.AfterCommit()) },
			"of middleware": func(b *eventbus.Bus, h eventbus.Handler) {
				b.Handle(h, ok, txn.AfterCommit(), inner)
			},
		} {
			t.Run(tt.name+" "+where, func(t *testing.T) {
				e := new(engine)
				bus := eventbus.New(nil)
				register(bus, eventbus.Handler{Domain: "order", Action: eventbus.Any, Name: "bad"})
				bus.Register("order", "placed", func(context.Context, eventbus.Data) error { e.note("mail"); return nil }, txn.AfterCommit())
				var got []failure
				opts := &txn.Options{OnError: func(ctx context.Context, err error) {
					h, ok := errors.AsType[*eventbus.HandlerError](err)
					if !ok {
						t.Fatalf("OnError was given a %T", err)
					}
					if _, err := txn.From[any](ctx); !errors.Is(err, txn.ErrNoTx) {
						t.Errorf("OnError's context: %v", err)
					}
					got = append(got, failure{h.Handler.Name, h.Domain + "/" + h.Action, h.Err.Error()})
				}}
				err := e.run(t.Context(), opts, func(ctx context.Context) error { return bus.Call(ctx, placed) })
				if err != nil {
					t.Errorf("committed, yet the run returned %v", err)
				}
				if diff := cmp.Diff([]failure{tt.want}, got); diff != "" {
					t.Errorf("failures (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"begin", "commit", "mail"}, e.log); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Even a handler that ends the goroutine, or an OnError that panics, keeps no
// other handler from running.
func TestTheRestRunsWhateverHappens(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler func() error
		onError func()
		want    any
	}{
		{"Goexit", func() error { runtime.Goexit(); return nil }, func() {}, "Goexit"},
		{"OnError panics", func() error { return errFn }, func() { panic("hook") }, "hook"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, bus := new(engine), eventbus.New(nil)
			bad := func(context.Context, eventbus.Data) error { e.note("bad"); return tt.handler() }
			good := func(context.Context, eventbus.Data) error { e.note("good"); return nil }
			for _, fn := range []eventbus.Func{bad, good, bad, good} {
				bus.Register("order", "placed", fn, txn.AfterCommit())
			}
			opts := &txn.Options{OnError: func(context.Context, error) { tt.onError() }}
			how := outcome(func() {
				_ = e.run(t.Context(), opts, func(ctx context.Context) error { return bus.Call(ctx, placed) })
			})
			if how != tt.want {
				t.Errorf("ended by %v, want %v", how, tt.want)
			}
			if diff := cmp.Diff([]string{"begin", "commit", "bad", "good", "bad", "good"}, e.log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestANestedRunHasItsOwnOnError(t *testing.T) {
	e, bus := new(engine), eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return errFn }, txn.AfterCommit())
	note := func(what string) *txn.Options {
		return &txn.Options{OnError: func(context.Context, error) { e.note(what) }}
	}
	call := func(ctx context.Context) error { return bus.Call(ctx, placed) }
	err := e.run(t.Context(), note("outer"), func(ctx context.Context) error {
		return errors.Join(e.run(ctx, note("inner"), call), e.run(ctx, nil, call))
	})
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"begin", "commit", "inner", "outer"}, e.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Not parallel: it replaces slog's default logger.
func TestFailuresAreLoggedByDefault(t *testing.T) {
	var buf bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewJSONHandler(&buf, nil)))
	for _, tt := range []struct {
		name    string
		handler func() error
		want    []string
	}{
		{"error", func() error { return errFn }, []string{`"err":"fn failed"`}},
		{"panic", func() error { panic("boom") }, []string{`"err":"panic: boom"`, `"stack":"goroutine`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			buf.Reset()
			e, bus := new(engine), eventbus.New(nil)
			bus.Handle(eventbus.Handler{Domain: "order", Action: eventbus.Any, Name: "mail.Confirm", Source: "shop/mail/wire.go:31"},
				func(context.Context, eventbus.Data) error { return tt.handler() }, txn.AfterCommit())
			if err := e.run(t.Context(), nil, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
				t.Error(err)
			}
			want := append(tt.want, `"level":"ERROR"`, `"domain":"order"`, `"action":"placed"`, `"handler":"mail.Confirm"`, `"source":"shop/mail/wire.go:31"`)
			for _, part := range want {
				if !strings.Contains(buf.String(), part) {
					t.Errorf("no %s in\n%s", part, &buf)
				}
			}
			if strings.Contains(buf.String(), "hunter2") {
				t.Errorf("the params are in the log:\n%s", &buf)
			}
		})
	}
	t.Run("rollback", func(t *testing.T) {
		buf.Reset()
		e := &engine{rollbackErr: errRollback}
		outcome(func() { _ = e.run(t.Context(), nil, func(context.Context) error { panic("boom") }) })
		if !strings.Contains(buf.String(), `"level":"ERROR"`) || !strings.Contains(buf.String(), "connection lost") {
			t.Errorf("logged\n%s", &buf)
		}
	})
}

// A handler after the commit starts afresh: what it dispatches is outside any
// transaction, and a run of its own commits at once.
func TestAHandlerAfterTheCommitStartsAfresh(t *testing.T) {
	e, bus := new(engine), eventbus.New(nil)
	note := func(what string) eventbus.Func {
		return func(context.Context, eventbus.Data) error { e.note(what); return nil }
	}
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		e.note("placed")
		if err := bus.Call(ctx, eventbus.MustData("mail", "sent", nil)); !errors.Is(err, txn.ErrNoTx) {
			t.Errorf("dispatch: %v", err)
		}
		return e.run(ctx, nil, func(ctx context.Context) error {
			return bus.Call(ctx, eventbus.MustData("mail", "sent", nil))
		})
	}, txn.AfterCommit())
	bus.Register("order", "placed", note("placed 2"), txn.AfterCommit())
	bus.Register("mail", "sent", note("sent"), txn.AfterCommit())

	opts := &txn.Options{OnError: func(_ context.Context, err error) { t.Error(err) }}
	if err := e.run(t.Context(), opts, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
		t.Error(err)
	}
	want := []string{"begin", "commit", "placed", "begin", "commit", "sent", "placed 2"}
	if diff := cmp.Diff(want, e.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each dispatch of such a cycle has returned before the next begins, so the bus
// can't count them, and a stack overflow would kill the process.
func TestACycleThroughCommitsEnds(t *testing.T) {
	for _, tt := range []struct {
		name      string
		rounds    int
		wantCycle bool
	}{
		{"1,000 rounds pass", 1000, false},
		{"no end", -1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, bus := new(engine), eventbus.New(nil)
			ran := 0
			run := func(ctx context.Context) error {
				return txn.RunScope(ctx, e, e.begin, &txn.Options{OnError: func(context.Context, error) {}},
					func(ctx context.Context) error { return bus.Call(ctx, placed) })
			}
			var cycle *eventbus.CycleError
			bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
				if ran++; ran == tt.rounds {
					return nil
				}
				err := run(ctx)
				if err != nil && !errors.As(err, &cycle) {
					t.Errorf("got %v", err)
				}
				return err
			}, txn.AfterCommit())
			if err := run(t.Context()); err != nil {
				t.Errorf("the first run committed, yet it returned %v", err)
			}
			if (cycle != nil) != tt.wantCycle || ran != 1000 {
				t.Errorf("cycle error %v after %d rounds", cycle, ran)
			}
		})
	}
}

// Detach forgets the rounds: through a queue, an event may set itself off for
// ever.
func TestDetachStartsCountingAnew(t *testing.T) {
	e, bus := new(engine), eventbus.New(nil)
	var next context.Context
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		next = txn.Detach(ctx)
		return nil
	}, txn.AfterCommit())
	next = t.Context()
	for range 1100 {
		if err := e.run(next, nil, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPending(t *testing.T) {
	e, bus := new(engine), eventbus.New(nil)
	for _, name := range []string{"mail.Confirm", "search.Index"} {
		bus.Handle(eventbus.Handler{Domain: "order", Action: eventbus.Any, Name: name},
			func(context.Context, eventbus.Data) error { t.Error(name, "ran"); return nil }, txn.AfterCommit())
	}
	if got := pending(t.Context()); got != nil {
		t.Errorf("without a transaction: %v", got)
	}
	err := e.run(t.Context(), nil, func(ctx context.Context) error {
		if err := e.run(ctx, nil, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
			t.Error(err)
		}
		want := []string{"mail.Confirm of order/placed", "search.Index of order/placed"}
		if diff := cmp.Diff(want, pending(ctx)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for range txn.Pending(ctx) {
			if err := bus.Call(ctx, placed); err != nil { // while iterating, once
				t.Error(err)
			}
			break
		}
		if got := len(pending(ctx)); got != 4 {
			t.Errorf("%d pending, want 4", got)
		}
		return errFn
	})
	if err != errFn {
		t.Error(err)
	}
}

func TestMiddlewareWrapsTheHandOverOrTheRun(t *testing.T) {
	e, bus := new(engine), eventbus.New(nil)
	around := func(name string) eventbus.Middleware {
		return func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
			return func(ctx context.Context, d eventbus.Data) error {
				e.note("before " + name)
				defer e.note("after " + name)
				return next(ctx, d)
			}
		}
	}
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { e.note("handler"); return nil },
		around("hand-over"), txn.AfterCommit(), around("run"))
	if err := e.run(t.Context(), nil, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
		t.Error(err)
	}
	want := []string{"begin", "before hand-over", "after hand-over", "commit", "before run", "handler", "after run"}
	if diff := cmp.Diff(want, e.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
