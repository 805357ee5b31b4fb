package durable_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus/durable"
	"example.com/eventbus/txn"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("DURABLE_TEST_CHILD"); role != "" {
		child(role)
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if shared.server != nil {
			shared.server.remove()
		}
		os.Exit(code)
	}))
}

// engine is a database of its own for one test.
type engine[TTx any] struct {
	driver riverdriver.Driver[TTx]
	run    func(context.Context, func(context.Context) error) error                  // in a transaction
	exec   func(ctx context.Context, query string, values ...any) error              // in the transaction of ctx, if it has one
	number func(ctx context.Context, query string, values ...any) (n int, err error) // on a connection of its own
}

func openSQLite(tb testing.TB, path string) *engine[*sql.Tx] {
	tb.Helper()
	e, closeDB, err := newSQLite(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(closeDB)
	prepare(tb, e)
	return e
}

func newSQLite(path string) (e *engine[*sql.Tx], closeDB func(), err error) {
	dsn := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, err
	}
	other, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	other.SetMaxOpenConns(1)
	e = &engine[*sql.Tx]{
		driver: riversqlite.New(db),
		run: func(ctx context.Context, fn func(context.Context) error) error {
			return txn.Run(ctx, db, nil, fn)
		},
		exec: func(ctx context.Context, query string, values ...any) error {
			tx, err := txn.From[*sql.Tx](ctx)
			if errors.Is(err, txn.ErrNoTx) {
				_, err = db.ExecContext(ctx, query, values...)
				return err
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, query, values...)
			}
			return err
		},
		number: func(ctx context.Context, query string, values ...any) (n int, err error) {
			return n, other.QueryRowContext(ctx, query, values...).Scan(&n)
		},
	}
	return e, func() { _, _ = db.Close(), other.Close() }, nil
}

func openPostgres(tb testing.TB) *engine[pgx.Tx] {
	tb.Helper()
	return connect(tb, sharedServer(tb).database(tb))
}

func connect(tb testing.TB, url string) *engine[pgx.Tx] {
	tb.Helper()
	e, closePool, err := newPostgres(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(closePool)
	prepare(tb, e)
	return e
}

func newPostgres(ctx context.Context, url string) (e *engine[pgx.Tx], closePool func(), err error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	e = &engine[pgx.Tx]{
		driver: riverpgxv5.New(pool),
		run: func(ctx context.Context, fn func(context.Context) error) error {
			return txn.RunScope(ctx, pool, pool.Begin, nil, fn)
		},
		exec: func(ctx context.Context, query string, values ...any) error {
			tx, err := txn.From[pgx.Tx](ctx)
			if errors.Is(err, txn.ErrNoTx) {
				_, err = pool.Exec(ctx, query, values...)
				return err
			}
			if err == nil {
				_, err = tx.Exec(ctx, query, values...)
			}
			return err
		},
		number: func(ctx context.Context, query string, values ...any) (n int, err error) {
			return n, pool.QueryRow(ctx, query, values...).Scan(&n)
		},
	}
	return e, pool.Close, nil
}

// prepare makes the tables of River and of the tests.
func prepare[TTx any](tb testing.TB, e *engine[TTx]) {
	tb.Helper()
	c := e.client(tb, nil)
	if err := c.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := e.exec(tb.Context(), "CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY)"); err != nil {
		tb.Fatal(err)
	}
}

// client returns a client that is quick and says nothing, where opts don't say
// otherwise.
func (e *engine[TTx]) client(tb testing.TB, opts *durable.Options) *durable.Client[TTx] {
	tb.Helper()
	o := durable.Options{}
	if opts != nil {
		o = *opts
	}
	c, err := durable.New(e.driver, quick(o))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func quick(o durable.Options) *durable.Options {
	r := &o.River
	r.TestOnly = true // no staggered starts
	r.FetchCooldown = cmp.Or(r.FetchCooldown, time.Millisecond)
	r.FetchPollInterval = cmp.Or(r.FetchPollInterval, 20*time.Millisecond)
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.RetryPolicy == nil {
		r.RetryPolicy = soon(0)
	}
	return &o
}

// soon retries after that time, or almost at once.
type soon time.Duration

func (s soon) NextRetry(*rivertype.JobRow) time.Time {
	return time.Now().Add(max(time.Duration(s), 10*time.Millisecond))
}

// start runs c until the test ends.
func start[TTx any](tb testing.TB, c *durable.Client[TTx]) {
	tb.Helper()
	if err := c.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = c.Stop(ctx) // t's context has ended it already
		select {
		case <-c.River().Stopped():
		case <-ctx.Done():
			tb.Error("the client doesn't stop")
		}
	})
}

// eventually waits for ok, a minute at most.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(10 * time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-deadline:
			tb.Fatalf("still not: %s", what)
		}
	}
}

// counts returns the states of f that are not empty.
func counts[TTx any](tb testing.TB, c *durable.Client[TTx], f durable.Filter) map[durable.State]int {
	tb.Helper()
	all, err := c.Count(tb.Context(), f)
	if err != nil {
		tb.Fatal(err)
	}
	for s, n := range all {
		if n == 0 {
			delete(all, s)
		}
	}
	return all
}

func list[TTx any](tb testing.TB, c *durable.Client[TTx], f durable.Filter) (all []durable.Job) {
	tb.Helper()
	for job, err := range c.List(tb.Context(), f) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, job)
	}
	return all
}

// logbook is a log that may be read while it is written.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// has reports whether one line has all the parts.
func (l *logbook) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(strings.Split(l.buf.String(), "\n"), func(line string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) })
	})
}

func (l *logbook) options() *durable.Options {
	return &durable.Options{River: river.Config{Logger: slog.New(slog.NewJSONHandler(l, nil))}}
}

// shared is the PostgreSQL server that all tests use, started by the first.
var shared struct {
	sync.Once
	server *server
	err    error
	n      atomic.Int64
}

var errNoPostgres = errors.New("no PostgreSQL server is installed (Debian: apt-get install postgresql)")

func sharedServer(tb testing.TB) *server {
	tb.Helper()
	shared.Do(func() { shared.server, shared.err = newServer() })
	if errors.Is(shared.err, errNoPostgres) && !slices.Contains(strings.Split(os.Getenv("EVENTBUS_REQUIRE"), ","), "postgres") {
		tb.Skip(shared.err)
	}
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server
}

// postgresBinary returns the path of a program of PostgreSQL's, which Debian
// keeps out of PATH.
func postgresBinary(name string) (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, dir := range slices.Backward(dirs) {
		if path := filepath.Join(dir, name); exec.Command(path, "--version").Run() == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNoPostgres
	}
	return path, nil
}

func mustTx[TTx any](ctx context.Context) TTx {
	tx, err := txn.From[TTx](ctx)
	if err != nil {
		panic(err)
	}
	return tx
}
