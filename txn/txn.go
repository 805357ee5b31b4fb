// Package txn makes reactions and database transactions agree: a handler runs
// within its caller's transaction, or after the commit, and never after a
// rollback.
//
//	bus.Register("order", "placed", stock.Reserve, txn.Required())
//	bus.Register("order", "placed", mail.Confirm, txn.AfterCommit())
//
//	err := txn.Run(ctx, db, nil, func(ctx context.Context) error {
//		tx, err := txn.From[*sql.Tx](ctx)
//		if err != nil {
//			return err
//		}
//		if _, err := tx.ExecContext(ctx, "INSERT INTO orders …"); err != nil {
//			return err
//		}
//		return bus.Call(ctx, placed) // reserves; the mail waits
//	}) // commits, then the mail goes out
//
// # How a run ends
//
// Run commits when its function returns nil. It rolls back when the function
// returns an error, panics or calls runtime.Goexit, and when the context is done
// by then; panic and Goexit go on afterwards. The outermost Run's error means
// that the transaction is not known to be committed, and nothing else: nil means
// that it is. What a handler does after the commit can't change that, so its
// failures go to Options.OnError, and the handlers after it still run.
//
// A Run within a Run on the same database joins the outer transaction: it
// neither commits nor rolls back, and what was put off waits for the outermost
// commit. There are no savepoints. So where an inner Run fails, the outer
// transaction can only be rolled back: the outermost Run returns an error even
// if its function swallows the inner one. A Run on another database is refused,
// since no commit could cover both. One that shall stand alone starts from
// Detach(ctx).
//
// A transaction is done once its outermost function returned. Who kept the
// context gets ErrDone from then on. So the function waits for the goroutines
// that it starts; they may use its context at the same time.
//
// # After the commit
//
// Handlers put off by AfterCommit run one by one, on the goroutine of the
// outermost Run, before that returns, in the order in which they were put off.
// Their context has the values of the one they were dispatched with, but no
// transaction, no deadline and no cancellation: the commit has happened, and a
// request that ran out of time is no reason to keep quiet about it. Bound them
// with middleware.Timeout. They may dispatch events and start a Run of their own.
// Nothing runs them again after a crash; package durable does.
//
// Middleware before AfterCommit wraps only the hand-over, which always succeeds
// within a transaction; middleware after it wraps the handler's run.
//
// # What databases do
//
// On PostgreSQL one failed statement aborts the transaction: each further one
// fails, those of the next handlers too, and the commit rolls back. SQLite and
// MySQL undo the failed statement alone and go on, so what a handler did before
// its error is committed, if its caller swallows that. Return the errors of Call
// and Publish, and both agree. On MySQL a DDL statement commits there and then.
//
// A transaction holds a connection. With all connections of a sql.DB in
// transactions, a query past the transaction waits for one, for ever if it is
// its own caller who holds it; so does a Run that starts from Detach. After the
// commit the connection is free again.
package txn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"example.com/eventbus"
)

var (
	// ErrNoTx is the error of what needs a transaction and finds none in its
	// context.
	ErrNoTx = errors.New("the context holds no transaction")

	// ErrDone is the error of using a transaction or a buffer that is already
	// committed or rolled back.
	ErrDone = errors.New("already committed or rolled back")
)

// Options change how a transaction runs. Nil and the zero value are the same.
type Options struct {
	// Tx is what Run begins the transaction with. The zero value is the
	// driver's default isolation, read and write. A Run that joins another must
	// leave it zero or ask for the same. RunScope has no use for it.
	Tx sql.TxOptions

	// OnError is given what can't be returned: a handler that failed or
	// panicked after the commit, as a *eventbus.HandlerError that names the
	// handler and the event, and a failed rollback while a panic goes on. It is
	// called on the goroutine of the run, with a context like the handler's. A
	// Run that joins another has its own for what it puts off, if it sets one.
	// The default logs at Error to slog.Default, without params.
	OnError func(ctx context.Context, err error)
}

// Scope is what a run commits or rolls back. pgx.Tx and *Buffer are Scopes.
//
// Commit ends the scope, also where it fails. Exactly one of the two is called,
// once, on the goroutine of the run. The context of Commit may end early, that
// of Rollback doesn't.
type Scope interface {
	Commit(context.Context) error
	Rollback(context.Context) error
}

// Run calls fn with a context that holds a transaction on db, and commits or
// rolls back as the package comment says. The opts may be nil.
//
// The error is fn's own, joined with that of a failed rollback, or it says that
// the transaction could not begin, join or commit. It unwraps to the driver's.
func Run(ctx context.Context, db *sql.DB, opts *Options, fn func(context.Context) error) error {
	begin := func(ctx context.Context) (sqlScope, error) {
		var o sql.TxOptions
		if opts != nil {
			o = opts.Tx
		}
		tx, err := db.BeginTx(ctx, &o)
		return sqlScope{tx}, err
	}
	return RunScope(ctx, db, begin, opts, fn)
}

// RunScope is Run for any other engine, and for none. The db stands for what a
// transaction is on: a run within a run joins it where their db are equal (==),
// and is refused otherwise. The begin function is called unless the run joins.
//
// With pgx, where pool is a *pgxpool.Pool, and txn.From[pgx.Tx] finds the
// transaction:
//
//	err := txn.RunScope(ctx, pool, pool.Begin, nil, fn)
//
// Commit gets a context that holds the transaction, which is done only once that
// returned.
func RunScope[S Scope](ctx context.Context, db any, begin func(context.Context) (S, error), opts *Options, fn func(context.Context) error) error {
	f := frameOf(ctx)
	if opts != nil && opts.OnError != nil {
		f.onError = opts.OnError
	}
	if f.scope != nil {
		if err := f.scope.admits(db, opts); err != nil {
			return err
		}
		return f.scope.join(f.in(ctx), fn)
	}
	tx, err := begin(ctx)
	if err != nil {
		return fmt.Errorf("txn: begin: %w", err)
	}
	f.scope = &scope{Scope: tx, db: db}
	if opts != nil {
		f.scope.opts = opts.Tx
	}
	after, err := f.scope.run(f.in(ctx), fn, f.report)
	if err != nil {
		return err
	}
	runAll(after)
	return nil
}

// From returns the transaction that ctx holds: a *sql.Tx within Run, and within
// RunScope what its begin returned. Neither commit nor roll back what it gives.
//
// The error is ErrNoTx, ErrDone, or says that the transaction is no T. Code that
// works with and without a transaction may go to the database itself on ErrNoTx,
// and on no other error.
func From[T any](ctx context.Context) (T, error) {
	var none T
	s := frameOf(ctx).scope
	if err := s.usable(); err != nil {
		return none, fmt.Errorf("txn: look for a %v: %w", reflect.TypeFor[T](), err)
	}
	var tx any = s.Scope
	if s, ok := tx.(sqlScope); ok {
		tx = s.Tx
	}
	if tx, ok := tx.(T); ok {
		return tx, nil
	}
	return none, fmt.Errorf("txn: the transaction is a %T, no %v", tx, reflect.TypeFor[T]())
}

// Detach returns a context with the values of ctx, but without its transaction,
// deadline and cancellation. Whatever outlives the call or leaves its goroutine
// starts from there, as does a Run that shall not join.
//
// Values of other packages stay, also a transaction that somebody put there
// without RunScope.
func Detach(ctx context.Context) context.Context {
	detached := context.WithoutCancel(ctx)
	if f := frameOf(ctx); f.scope == nil && f.depth == 0 {
		return detached
	}
	return frame{}.in(detached)
}

// sqlScope makes a Scope of a sql.Tx.
type sqlScope struct{ *sql.Tx }

func (s sqlScope) Commit(context.Context) error { return s.Tx.Commit() }

func (s sqlScope) Rollback(context.Context) error {
	if err := s.Tx.Rollback(); !errors.Is(err, sql.ErrTxDone) { // database/sql itself rolls back when the context ends
		return err
	}
	return nil
}

// frame is what a context knows: the transaction, if any, and the nearest run's
// OnError.
type frame struct {
	scope   *scope
	onError func(context.Context, error)
	depth   int // how many runs of handlers after a commit are nested around it
}

type contextKey struct{}

func frameOf(ctx context.Context) frame {
	f, _ := ctx.Value(contextKey{}).(frame)
	return f
}

func (f frame) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, f)
}

// report tells OnError what nobody can be told by a return.
func (f frame) report(ctx context.Context, err error) {
	if f.onError != nil {
		f.onError(ctx, err)
		return
	}
	h, ok := errors.AsType[*eventbus.HandlerError](err)
	if !ok {
		slog.ErrorContext(ctx, "txn: rollback failed", slog.Any("err", err))
		return
	}
	attrs := []slog.Attr{slog.String("domain", h.Domain), slog.String("action", h.Action),
		slog.String("handler", h.Handler.Name), slog.String("source", h.Handler.Source), slog.Any("err", h.Err)}
	if p, ok := errors.AsType[*eventbus.PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	slog.Default().LogAttrs(ctx, slog.LevelError, "txn: handler failed after the commit", attrs...)
}

// scope is one transaction, however many runs joined it.
type scope struct {
	Scope
	db   any
	opts sql.TxOptions

	mu     sync.Mutex
	done   bool
	failed error      // of a run that joined: no commit after that
	after  []deferred // in the order in which they were put off
}

// run calls fn and commits or rolls back. It returns what was put off, if it
// commits.
func (s *scope) run(ctx context.Context, fn func(context.Context) error, report func(context.Context, error)) (after []deferred, err error) {
	committing := false
	defer func() {
		s.finish()
		if committing {
			return
		}
		rerr := s.Rollback(context.WithoutCancel(ctx))
		switch {
		case rerr == nil:
		case err != nil:
			err = fmt.Errorf("%w; txn: roll back: %w", err, rerr)
		default: // fn panicked, or called runtime.Goexit
			report(Detach(ctx), fmt.Errorf("txn: roll back after a panic: %w", rerr))
		}
	}()
	if err := call(ctx, fn); err != nil {
		return nil, err
	}
	if err := s.failure(); err != nil {
		return nil, fmt.Errorf("txn: rolled back, since a run that had joined failed and its error was not returned: %w", err)
	}
	committing = true
	if err := s.Commit(ctx); err != nil {
		return nil, fmt.Errorf("txn: commit: %w", err)
	}
	return s.finish(), nil
}

// join calls fn within the transaction of an outer run.
func (s *scope) join(ctx context.Context, fn func(context.Context) error) (err error) {
	err = errors.New("it panicked or ended its goroutine")
	defer func() {
		if err != nil {
			s.fail(err)
		}
	}()
	return call(ctx, fn)
}

// call refuses to commit in the name of a caller who is gone.
func call(ctx context.Context, fn func(context.Context) error) error {
	if err := fn(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("txn: not committed: %w", err)
	}
	return nil
}

// admits reports whether a run on db may join.
func (s *scope) admits(db any, opts *Options) error {
	if err := s.usable(); err != nil {
		return fmt.Errorf("txn: join the transaction of the context: %w", err)
	}
	if s.db != db {
		return errors.New("txn: run within a transaction on another database: start from txn.Detach(ctx), and it commits on its own")
	}
	if opts != nil && opts.Tx != (sql.TxOptions{}) && opts.Tx != s.opts {
		return fmt.Errorf("txn: join a transaction begun with %+v: can't give %+v", s.opts, opts.Tx)
	}
	return nil
}

// usable returns ErrNoTx of no scope and ErrDone of one that is done.
func (s *scope) usable() error {
	if s == nil {
		return ErrNoTx
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return ErrDone
	}
	return nil
}

func (s *scope) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

func (s *scope) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// finish ends the scope and returns what was put off.
func (s *scope) finish() []deferred {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := s.after
	s.done, s.after = true, nil
	return after
}
