package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

var errFn = errors.New("fn failed")

// shop is a database, a bus and what its handlers did after the commit.
//
// Each order/placed inserts a row into orders by a handler that requires the
// transaction, and mails by one that waits for the commit. Rows and mails must
// agree, whatever happens.
type shop struct {
	db     *sql.DB
	bus    *eventbus.Bus
	mu     sync.Mutex
	mails  []int
	failed []error // given to OnError
}

// tb is what testing.TB and rapid.T have in common.
type tb interface {
	Cleanup(func())
	Fatal(...any)
	Error(...any)
}

func newShop(t tb, dir string) *shop {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "shop.db")+
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = db.Exec(`
		CREATE TABLE orders (n INTEGER PRIMARY KEY);
		CREATE TABLE lines (n INTEGER REFERENCES orders DEFERRABLE INITIALLY DEFERRED)`)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{db: db, bus: eventbus.New(nil)}
	insert := func(ctx context.Context, n int) error {
		tx, err := txn.From[*sql.Tx](ctx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO orders VALUES (?)", n)
		return err
	}
	mail := func(ctx context.Context, n int) error {
		// Its own query finds the row, so it is committed; on the one connection
		// it would hang if the transaction were open.
		var found int
		if err := s.db.QueryRowContext(ctx, "SELECT n FROM orders WHERE n = ?", n).Scan(&found); err != nil {
			return fmt.Errorf("mail %d: %w", n, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mails = append(s.mails, n)
		return nil
	}
	eventbus.On(s.bus, "order", "placed", insert, txn.Required())
	eventbus.On(s.bus, "order", "placed", mail, txn.AfterCommit())
	s.bus.Register("order", "broken", breakConstraint)
	return s
}

// breakConstraint leaves behind what only the COMMIT complains of.
func breakConstraint(ctx context.Context, _ eventbus.Data) error {
	tx, err := txn.From[*sql.Tx](ctx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO lines VALUES (-1)")
	return err
}

func (s *shop) run(ctx context.Context, fn func(context.Context) error) error {
	return txn.Run(ctx, s.db, &txn.Options{OnError: func(_ context.Context, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = append(s.failed, err)
	}}, fn)
}

func (s *shop) place(ctx context.Context, n int) error {
	return s.bus.Call(ctx, eventbus.MustData("order", "placed", n))
}

func (s *shop) breakConstraint(ctx context.Context) error {
	return s.bus.Call(ctx, eventbus.MustData("order", "broken", nil))
}

// rows returns the committed orders, in the order of their numbers.
func (s *shop) rows(t tb) (ns []int) {
	rows, err := s.db.Query("SELECT n FROM orders ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ns
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

func TestRowsAndReactionsAgree(t *testing.T) {
	for _, tt := range []struct {
		name      string
		fn        func(ctx context.Context, s *shop, cancel func()) error
		want      []int // rows, and mails
		wantErr   string
		wantPanic any
	}{
		{name: "commit",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				return errors.Join(s.place(ctx, 1), s.place(ctx, 2))
			},
			want: []int{1, 2}},
		{name: "an error",
			fn:      func(ctx context.Context, s *shop, _ func()) error { return errors.Join(s.place(ctx, 1), errFn) },
			wantErr: "fn failed"},
		{name: "an error of a handler", // the second insert finds the number taken
			fn: func(ctx context.Context, s *shop, _ func()) error {
				return errors.Join(s.place(ctx, 1), s.place(ctx, 1))
			},
			wantErr: "UNIQUE constraint"},
		{name: "a panic",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				panic(errors.Join(s.place(ctx, 1), errFn).Error())
			},
			wantPanic: "fn failed"},
		{name: "Goexit",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				if err := s.place(ctx, 1); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			},
			wantPanic: "Goexit"},
		{name: "a context cancelled in the end",
			fn: func(ctx context.Context, s *shop, cancel func()) error {
				err := s.place(ctx, 1)
				cancel()
				return err
			},
			wantErr: "context canceled"},
		{name: "a context cancelled between two statements",
			fn: func(ctx context.Context, s *shop, cancel func()) error {
				if err := s.place(ctx, 1); err != nil {
					return err
				}
				cancel()
				_ = s.place(ctx, 2) // fails; swallowed
				return nil
			},
			wantErr: "context canceled"},
		{name: "a commit that fails",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				return errors.Join(s.place(ctx, 1), s.breakConstraint(ctx))
			},
			wantErr: "txn: commit: constraint failed: FOREIGN KEY"},
		{name: "a nested run",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				err := s.run(ctx, func(ctx context.Context) error { return s.place(ctx, 1) })
				if len(s.mails) > 0 {
					return errors.New("mailed before the outermost commit")
				}
				return errors.Join(err, s.place(ctx, 2))
			},
			want: []int{1, 2}},
		{name: "a nested run that succeeds in one that fails",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				return errors.Join(s.run(ctx, func(ctx context.Context) error { return s.place(ctx, 1) }), errFn)
			},
			wantErr: "fn failed"},
		{name: "a nested run that fails, swallowed",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				_ = s.run(ctx, func(ctx context.Context) error { return errors.Join(s.place(ctx, 1), errFn) })
				return s.place(ctx, 2)
			},
			wantErr: "a run that had joined failed"},
		{name: "a nested commit that fails",
			fn: func(ctx context.Context, s *shop, _ func()) error {
				return errors.Join(s.run(ctx, s.breakConstraint), s.place(ctx, 1))
			},
			wantErr: "txn: commit: constraint failed: FOREIGN KEY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t, t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var err error
			how := outcome(func() {
				err = s.run(ctx, func(ctx context.Context) error { return tt.fn(ctx, s, cancel) })
			})
			if how != tt.wantPanic {
				t.Errorf("ended by %v, want %v", how, tt.wantPanic)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("error %v, want %q", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, s.rows(t)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, s.mails); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
			if s.failed != nil {
				t.Errorf("after the commit: %v", s.failed)
			}

			// Nothing is left behind on the one connection.
			if err := s.run(t.Context(), func(ctx context.Context) error { return s.place(ctx, 7) }); err != nil {
				t.Errorf("the next run: %v", err)
			}
			if diff := cmp.Diff(append(tt.want, 7), s.rows(t)); diff != "" {
				t.Errorf("rows after the next run (-want +got):\n%s", diff)
			}
		})
	}
}

// A reaction that fails leaves the rows and the run's result alone.
func TestAReactionThatFailsLeavesTheRows(t *testing.T) {
	s := newShop(t, t.TempDir())
	s.bus.Register("order", "placed", func(context.Context, eventbus.Data) error { panic("mail server on fire") }, txn.AfterCommit())
	for n := range 2 {
		if err := s.run(t.Context(), func(ctx context.Context) error { return s.place(ctx, n) }); err != nil {
			t.Errorf("run %d: %v", n, err)
		}
	}
	if diff := cmp.Diff([]int{0, 1}, s.rows(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(s.failed) != 2 {
		t.Errorf("OnError was given %v, want 2 errors", s.failed)
	}
}

// A reaction writes by a transaction of its own, on the only connection.
func TestAReactionHasATransactionOfItsOwn(t *testing.T) {
	s := newShop(t, t.TempDir())
	s.bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		n, err := eventbus.Decode[int](d)
		if err != nil || n >= 3 {
			return err
		}
		return s.run(ctx, func(ctx context.Context) error { return s.place(ctx, n+1) })
	}, txn.AfterCommit())
	if err := s.run(t.Context(), func(ctx context.Context) error { return s.place(ctx, 1) }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, s.rows(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, s.mails); diff != "" || s.failed != nil {
		t.Errorf("failures %v, mails (-want +got):\n%s", s.failed, diff)
	}
}

func TestABufferCommittedWithinTheTransaction(t *testing.T) {
	for _, tt := range []struct {
		name   string
		orders []int
		want   []int
	}{
		{"all or", []int{1, 2}, []int{1, 2}},
		{"nothing", []int{1, 2, 2, 3}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t, t.TempDir())
			err := s.run(t.Context(), func(ctx context.Context) error {
				events := txn.NewBuffer(s.bus)
				for _, n := range tt.orders {
					if err := events.Add(eventbus.MustData("order", "placed", n)); err != nil {
						return err
					}
				}
				return events.Commit(ctx)
			})
			d, failed := errors.AsType[*txn.DispatchError](err)
			if failed != (tt.want == nil) || failed && len(d.Rest) != 1 {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, s.rows(t)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, s.mails); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
		})
	}
}

// A run whose caller is gone never begins; here it would wait for ever.
func TestARunThatNeverBegins(t *testing.T) {
	s := newShop(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	err := s.run(t.Context(), func(context.Context) error { // holds the one connection; ctx knows nothing of it
		cancel()
		return s.run(ctx, func(context.Context) error { t.Error("fn called"); return nil })
	})
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "txn: begin: ") {
		t.Errorf("got %v", err)
	}
}

// Writers on many goroutines wait for each other, and each one's mail follows
// its own commit.
func TestRunsOnManyGoroutines(t *testing.T) {
	s := newShop(t, t.TempDir())
	var wg sync.WaitGroup
	const n = 40
	for i := range n {
		wg.Go(func() {
			err := s.run(t.Context(), func(ctx context.Context) error {
				err := s.place(ctx, i)
				if i%2 == 1 {
					err = errors.Join(err, errFn)
				}
				return err
			})
			if (err == nil) != (i%2 == 0) || err != nil && !errors.Is(err, errFn) {
				t.Errorf("run %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := s.rows(t); len(got) != n/2 || len(s.mails) != n/2 || s.failed != nil {
		t.Errorf("rows %v, mails %v, failures %v", got, s.mails, s.failed)
	}
}
