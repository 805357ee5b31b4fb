package txn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
)

var (
	errFn       = errors.New("fn failed")
	errCommit   = errors.New("deferred constraint")
	errRollback = errors.New("connection lost")
	placed      = eventbus.MustData("order", "placed", map[string]string{"secret": "hunter2"})
)

// engine is a transaction that writes down what happens to it. It is a Scope,
// and the driver of a *sql.DB.
type engine struct {
	beginErr, commitErr, rollbackErr error

	mu   sync.Mutex
	log  []string
	opts driver.TxOptions
}

func (e *engine) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, what)
}

func (e *engine) begin(context.Context) (*engine, error) {
	if e.beginErr != nil {
		return nil, e.beginErr
	}
	e.note("begin")
	return e, nil
}

func (e *engine) Commit(context.Context) error { e.note("commit"); return e.commitErr }

func (e *engine) Rollback(ctx context.Context) error {
	if ctx.Err() != nil {
		e.note("rollback that can't reach the server")
		return ctx.Err()
	}
	e.note("rollback")
	return e.rollbackErr
}

type sqlEngine struct{ *engine }

func (e sqlEngine) Driver() driver.Driver                        { return nil }
func (e sqlEngine) Connect(context.Context) (driver.Conn, error) { return e, nil }
func (e sqlEngine) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (e sqlEngine) Close() error                                 { return nil }
func (e sqlEngine) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (e sqlEngine) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	e.opts = o
	_, err := e.begin(ctx)
	return sqlTx(e), err
}

type sqlTx struct{ *engine }

func (t sqlTx) Commit() error   { return t.engine.Commit(context.Background()) }
func (t sqlTx) Rollback() error { return t.engine.Rollback(context.Background()) }

// openDB returns a database of one connection.
func openDB(t *testing.T, e *engine) *sql.DB {
	db := sql.OpenDB(sqlEngine{e})
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type runner func(context.Context, *txn.Options, func(context.Context) error) error

func (e *engine) run(ctx context.Context, opts *txn.Options, fn func(context.Context) error) error {
	return txn.RunScope(ctx, e, e.begin, opts, fn)
}

// eachEngine runs the test by Run and by RunScope.
func eachEngine(t *testing.T, test func(t *testing.T, e *engine, run runner)) {
	t.Run("RunScope", func(t *testing.T) {
		e := new(engine)
		test(t, e, e.run)
	})
	t.Run("Run", func(t *testing.T) {
		e := new(engine)
		db := openDB(t, e)
		test(t, e, func(ctx context.Context, opts *txn.Options, fn func(context.Context) error) error {
			_, err := txn.From[*sql.Tx](ctx)
			joins := err == nil
			defer func() { // database/sql rolls back on a goroutine of its own when a context ends
				if joins {
					return
				}
				if c, err := db.Conn(context.Background()); err != nil {
					t.Error(err)
				} else if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			return txn.Run(ctx, db, opts, fn)
		})
	})
}

// noteBus returns a bus with a handler for order/placed that notes its name after
// the commit.
func noteBus(e *engine) *eventbus.Bus {
	bus := eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error {
		e.note("mail")
		return nil
	}, txn.AfterCommit())
	return bus
}

func TestRunEnds(t *testing.T) {
	for _, tt := range []struct {
		name      string
		commitErr error
		end       func(cancel func()) error // the end of fn
		wantErr   error
		wantPanic any
		wantLog   []string
	}{
		{name: "nil commits, then reactions run",
			end:     func(func()) error { return nil },
			wantLog: []string{"begin", "commit", "mail"}},
		{name: "an error rolls back",
			end:     func(func()) error { return errFn },
			wantErr: errFn, wantLog: []string{"begin", "rollback"}},
		{name: "a panic rolls back and goes on",
			end:       func(func()) error { panic("boom") },
			wantPanic: "boom", wantLog: []string{"begin", "rollback"}},
		{name: "Goexit rolls back and goes on",
			end:       func(func()) error { runtime.Goexit(); return nil },
			wantPanic: "Goexit", wantLog: []string{"begin", "rollback"}},
		{name: "a context that is done rolls back",
			end:     func(cancel func()) error { cancel(); return nil },
			wantErr: context.Canceled, wantLog: []string{"begin", "rollback"}},
		{name: "a commit that fails drops reactions", commitErr: errCommit,
			end:     func(func()) error { return nil },
			wantErr: errCommit, wantLog: []string{"begin", "commit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e *engine, run runner) {
				e.commitErr = tt.commitErr
				bus := noteBus(e)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var err error
				gotPanic := outcome(func() {
					err = run(ctx, nil, func(ctx context.Context) error {
						if err := bus.Call(ctx, placed); err != nil {
							t.Errorf("put off: %v", err)
						}
						return tt.end(cancel)
					})
				})
				if gotPanic != tt.wantPanic {
					t.Errorf("panic %v, want %v", gotPanic, tt.wantPanic)
				}
				if tt.wantPanic == nil && !errors.Is(err, tt.wantErr) {
					t.Errorf("error %v, want %v", err, tt.wantErr)
				}
				if diff := cmp.Diff(tt.wantLog, e.log); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// outcome calls f on a goroutine of its own and returns what it panicked with,
// "Goexit", or nil.
func outcome(f func()) (how any) {
	how = "Goexit"
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				how = v
			}
		}()
		f()
		how = nil
	}()
	<-done
	return how
}

func TestRunReturnsTheErrorOfFnItself(t *testing.T) {
	if err := new(engine).run(t.Context(), nil, func(context.Context) error { return errFn }); err != errFn {
		t.Errorf("got %v, want fn's error as it is", err)
	}
}

func TestABeginThatFailsCallsNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, e *engine, run runner) {
		e.beginErr = errFn
		err := run(t.Context(), nil, func(context.Context) error { t.Error("fn called"); return nil })
		if !errors.Is(err, errFn) || !strings.HasPrefix(err.Error(), "txn: begin: ") {
			t.Errorf("got %v", err)
		}
	})
}

func TestARollbackThatFailsIsReported(t *testing.T) {
	eachEngine(t, func(t *testing.T, e *engine, run runner) {
		e.rollbackErr = errRollback
		err := run(t.Context(), nil, func(context.Context) error { return errFn })
		if !errors.Is(err, errFn) || !errors.Is(err, errRollback) {
			t.Errorf("after an error: got %v, want both errors", err)
		}
		if want := "fn failed; txn: roll back: connection lost"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		var reported []error
		opts := &txn.Options{OnError: func(_ context.Context, err error) { reported = append(reported, err) }}
		how := outcome(func() { _ = run(t.Context(), opts, func(context.Context) error { panic("boom") }) })
		if how != "boom" || len(reported) != 1 || !errors.Is(reported[0], errRollback) {
			t.Errorf("after a panic: panic %v, OnError was given %v", how, reported)
		}
	})
}

// Who ends the transaction by hand can't make Run believe that it committed.
func TestATransactionEndedByHand(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error // of fn
		want error
	}{
		{"then an error", errFn, errFn},
		{"then nil", nil, sql.ErrTxDone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := txn.Run(t.Context(), openDB(t, new(engine)), nil, func(ctx context.Context) error {
				tx, err := txn.From[*sql.Tx](ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
				return tt.err
			})
			if !errors.Is(err, tt.want) || tt.err != nil && err != tt.err {
				t.Errorf("got %v, want %v and nothing else", err, tt.want)
			}
		})
	}
}

func TestRunBeginsWithTheOptions(t *testing.T) {
	e := new(engine)
	opts := &txn.Options{Tx: sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true}}
	if err := txn.Run(t.Context(), openDB(t, e), opts, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	if want := (driver.TxOptions{Isolation: driver.IsolationLevel(sql.LevelSerializable), ReadOnly: true}); e.opts != want {
		t.Errorf("began with %+v, want %+v", e.opts, want)
	}
}

func TestFrom(t *testing.T) {
	e := new(engine)
	t.Run("within Run", func(t *testing.T) {
		err := txn.Run(t.Context(), openDB(t, e), nil, func(ctx context.Context) error {
			if tx, err := txn.From[*sql.Tx](ctx); err != nil || tx == nil {
				t.Errorf("*sql.Tx: %v, %v", tx, err)
			}
			_, err := txn.From[*engine](ctx)
			return err
		})
		if want := "txn: the transaction is a *sql.Tx, no *txn_test.engine"; err == nil || err.Error() != want {
			t.Errorf("another type: got %v, want %s", err, want)
		}
	})
	t.Run("within RunScope", func(t *testing.T) {
		err := e.run(t.Context(), nil, func(ctx context.Context) error {
			if got, err := txn.From[*engine](ctx); got != e || err != nil {
				t.Errorf("*engine: %v, %v", got, err)
			}
			if got, err := txn.From[txn.Scope](ctx); got != e || err != nil {
				t.Errorf("an interface: %v, %v", got, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestNestedRunsJoin(t *testing.T) {
	eachEngine(t, func(t *testing.T, e *engine, run runner) {
		bus := eventbus.New(nil)
		bus.Register("order", eventbus.Any, func(_ context.Context, d eventbus.Data) error {
			e.note(d.Action)
			return nil
		}, txn.AfterCommit())
		dispatch := func(ctx context.Context, action string) error {
			return bus.Call(ctx, eventbus.MustData("order", action, nil))
		}
		err := run(t.Context(), nil, func(ctx context.Context) error {
			outer, _ := txn.From[any](ctx)
			err := dispatch(ctx, "first")
			err = errors.Join(err, run(ctx, nil, func(ctx context.Context) error {
				if inner, err := txn.From[any](ctx); inner != outer || err != nil {
					t.Errorf("the inner run has the transaction %v (%v), the outer %v", inner, err, outer)
				}
				return dispatch(ctx, "second")
			}))
			e.note("still open")
			return errors.Join(err, dispatch(ctx, "third"))
		})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"begin", "still open", "commit", "first", "second", "third"}, e.log); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// There are no savepoints, so half a transaction must not be committed.
func TestANestedRunThatFailsForbidsTheCommit(t *testing.T) {
	ok := func(context.Context) error { return nil }
	for _, tt := range []struct {
		name  string
		inner func(context.Context, runner) error
		want  error
	}{
		{"an error", func(ctx context.Context, run runner) error {
			return run(ctx, nil, func(context.Context) error { return errFn })
		}, errFn},
		{"the first of two errors", func(ctx context.Context, run runner) error {
			_ = run(ctx, nil, func(context.Context) error { return errFn })
			return run(ctx, nil, func(context.Context) error { return errors.New("the second") })
		}, errFn},
		{"an error, then success", func(ctx context.Context, run runner) error {
			_ = run(ctx, nil, func(context.Context) error { return errFn })
			return run(ctx, nil, ok)
		}, errFn},
		{"an error two levels down", func(ctx context.Context, run runner) error {
			return run(ctx, nil, func(ctx context.Context) error {
				_ = run(ctx, nil, func(context.Context) error { return errFn })
				return nil
			})
		}, errFn},
		{"a panic", func(ctx context.Context, run runner) error {
			defer func() { _ = recover() }()
			return run(ctx, nil, func(context.Context) error { panic("boom") })
		}, nil},
		{"Goexit", func(ctx context.Context, run runner) error {
			outcome(func() { _ = run(ctx, nil, func(context.Context) error { runtime.Goexit(); return nil }) })
			return nil
		}, nil},
		{"a context that is done", func(ctx context.Context, run runner) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return run(ctx, nil, ok)
		}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e *engine, run runner) {
				bus := noteBus(e)
				err := run(t.Context(), nil, func(ctx context.Context) error {
					_ = tt.inner(ctx, run) // swallowed
					return bus.Call(ctx, placed)
				})
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, want an error around %v", err, tt.want)
				}
				if diff := cmp.Diff([]string{"begin", "rollback"}, e.log); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestARunOnAnotherDatabaseIsRefused(t *testing.T) {
	e, other := new(engine), new(engine)
	db := openDB(t, other)
	err := e.run(t.Context(), nil, func(ctx context.Context) error {
		fn := func(context.Context) error { t.Error("fn called"); return nil }
		for name, err := range map[string]error{"Run": txn.Run(ctx, db, nil, fn), "RunScope": other.run(ctx, nil, fn)} {
			if err == nil || !strings.Contains(err.Error(), "another database") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		return txn.Run(txn.Detach(ctx), db, nil, func(context.Context) error { return nil })
	})
	if err != nil {
		t.Errorf("a refused run harms nobody: %v", err)
	}
	if diff := cmp.Diff([]string{"begin", "commit"}, other.log); diff != "" {
		t.Errorf("the detached run (-want +got):\n%s", diff)
	}
}

func TestJoiningCantChangeHowTheTransactionBegan(t *testing.T) {
	serializable := sql.TxOptions{Isolation: sql.LevelSerializable}
	for _, tt := range []struct {
		name         string
		outer, inner sql.TxOptions
		wantErr      bool
	}{
		{"both default", sql.TxOptions{}, sql.TxOptions{}, false},
		{"inner takes what it gets", serializable, sql.TxOptions{}, false},
		{"the same", serializable, serializable, false},
		{"inner wants more", sql.TxOptions{}, serializable, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := openDB(t, new(engine))
			err := txn.Run(t.Context(), db, &txn.Options{Tx: tt.outer}, func(ctx context.Context) error {
				return txn.Run(ctx, db, &txn.Options{Tx: tt.inner}, func(context.Context) error { return nil })
			})
			if (err != nil) != tt.wantErr {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Whoever keeps the context of a transaction finds it done, however it ended.
func TestATransactionThatEndedIsDone(t *testing.T) {
	for name, end := range map[string]func() error{
		"committed":     func() error { return nil },
		"rolled back":   func() error { return errFn },
		"panicked":      func() error { panic("boom") },
		"commit failed": func() error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			e := new(engine)
			if name == "commit failed" {
				e.commitErr = errCommit
			}
			var kept context.Context
			outcome(func() {
				_ = e.run(t.Context(), nil, func(ctx context.Context) error {
					kept = ctx
					if err := noteBus(e).Call(ctx, placed); err != nil {
						t.Error(err)
					}
					return end()
				})
			})
			_, err := txn.From[*engine](kept)
			if !errors.Is(err, txn.ErrDone) {
				t.Errorf("From: %v", err)
			}
			if err := e.run(kept, nil, func(context.Context) error { t.Error("fn called"); return nil }); !errors.Is(err, txn.ErrDone) {
				t.Errorf("Run: %v", err)
			}
			for mwName, mw := range map[string]eventbus.Middleware{
				"AfterCommit": txn.AfterCommit(), "AfterCommitOrNow": txn.AfterCommitOrNow(), "Required": txn.Required(),
			} {
				bus := eventbus.New(nil)
				bus.Register("order", "placed", func(context.Context, eventbus.Data) error { t.Error("handler called"); return nil }, mw)
				if err := bus.Call(kept, placed); !errors.Is(err, txn.ErrDone) || !eventbus.IsPermanent(err) {
					t.Errorf("%s: %v", mwName, err)
				}
			}
			if n := len(pending(kept)); n != 0 {
				t.Errorf("Pending: %d handlers", n)
			}
		})
	}
}

func TestACommitThatPanicsEndsTheTransaction(t *testing.T) {
	var kept context.Context
	begin := func(context.Context) (panicky, error) { return panicky{}, nil }
	how := outcome(func() {
		_ = txn.RunScope(t.Context(), "db", begin, nil, func(ctx context.Context) error { kept = ctx; return nil })
	})
	if how != "commit panics" {
		t.Errorf("panic %v, want the commit's and no rollback after it", how)
	}
	if _, err := txn.From[panicky](kept); !errors.Is(err, txn.ErrDone) {
		t.Errorf("From: %v", err)
	}
}

type panicky struct{}

func (panicky) Commit(context.Context) error   { panic("commit panics") }
func (panicky) Rollback(context.Context) error { panic("rollback panics") }

func TestDetach(t *testing.T) {
	type key struct{}
	e := new(engine)
	outer, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "kept"), time.Hour)
	defer cancel()
	for name, within := range map[string]bool{"within a transaction": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			check := func(ctx context.Context) error {
				ctx = txn.Detach(ctx)
				if got := ctx.Value(key{}); got != "kept" {
					t.Errorf("value %v", got)
				}
				if _, ok := ctx.Deadline(); ok || ctx.Done() != nil {
					t.Error("the deadline stayed")
				}
				if _, err := txn.From[*engine](ctx); !errors.Is(err, txn.ErrNoTx) {
					t.Errorf("From: %v", err)
				}
				return nil
			}
			run := check
			if within {
				run = func(ctx context.Context) error { return e.run(ctx, nil, check) }
			}
			if err := run(outer); err != nil {
				t.Error(err)
			}
		})
	}
}

// The function may dispatch from many goroutines, if it waits for them.
func TestGoroutinesShareATransaction(t *testing.T) {
	e := new(engine)
	bus := noteBus(e)
	const n = 50
	err := e.run(t.Context(), nil, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				err := e.run(ctx, nil, func(ctx context.Context) error { return bus.Call(ctx, placed) })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want := append([]string{"begin", "commit"}, strings.Fields(strings.Repeat("mail ", n))...)
	if diff := cmp.Diff(want, e.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
