// Package durable runs reactions that survive a crash. At dispatch it stores one
// job for each event and reaction in the caller's transaction; a worker runs the
// handler later, in this process or another, until it succeeds or is given up.
// The queue is River's, on SQLite embedded or on PostgreSQL.
//
//	db, err := sql.Open("sqlite", "file:shop.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
//	db.SetMaxOpenConns(1)
//	client, err := durable.New(riversqlite.New(db), nil)
//	err = client.Migrate(ctx)
//
//	bus.Register("order", "placed", mail.Confirm, client.Reaction("mail.confirm"))
//	err = client.Start(ctx)
//	defer client.Stop(context.Background())
//
//	err = txn.Run(ctx, db, nil, func(ctx context.Context) error {
//		// INSERT INTO orders …
//		return bus.Call(ctx, placed) // stores the reaction
//	}) // commits the order and the reaction, or neither; then a worker runs mail.Confirm
//
// On PostgreSQL, with pool a *pgxpool.Pool, the driver is riverpgxv5.New(pool) and
// the transaction txn.RunScope(ctx, pool, pool.Begin, nil, fn).
//
// # What is promised
//
// A reaction is stored if and only if the caller's transaction commits. It is run
// at least once. It is run again after an error, a panic, a time-out, and after
// the death of the process that ran it, until it succeeds or is given up: after
// MaxAttempts runs that failed or died (River's default is 25, over some three
// weeks), and at once after an error that is permanent (see
// eventbus.IsPermanent). What is given up stays in the database until somebody
// retries or purges it. Each reaction is retried by itself: what one of them does
// is no business of the others. There is no order among them.
//
// At least once means sometimes twice: a process may die after the handler
// returned and before that is recorded. So a handler must bear a second run.
// Three ways, the first that fits:
//
//   - It does what is the same done twice: it sets a value, it deletes a row.
//   - It works in this database: let it do so in a transaction and end that with
//     Client.Complete, and its rows are written exactly once.
//   - It calls others: pass on Job.Key, which is the same in each run, as the
//     idempotency key; or keep the keys that were seen.
//
// A handler must also heed its context, which ends after River's JobTimeout (one
// minute by default) and when the client is told to stop at once. One that goes
// on for long regardless is taken for dead, and the reaction is run beside it.
//
// # Names
//
// The name of a reaction is what is stored. It belongs to the reaction for good,
// like that of a table: keep it where the handler moves or is renamed. To change
// it, give the old one as an alias for as long as jobs of that name are left. A
// job whose name nobody registered is logged at Error and tried again every
// minute. It doesn't count as an attempt and is never dropped. Processes that
// share a queue should therefore register the same reactions; give others
// queues of their own, by Options.InsertOpts.
//
// # Middleware
//
// Middleware before Reaction, the bus's own too, wraps the insert: it sees the
// dispatch, its context and its failure. Middleware after Reaction wraps each run:
// timeouts, metrics and the like belong there.
//
// The run's context has the values of the context given to Start, and the
// metadata that the dispatch had (package metadata). A trace crosses over in
// those: a middleware before Reaction puts the W3C traceparent in, one after it
// takes it out.
package durable

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"example.com/eventbus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// Options change what a Client does. Nil and the zero value are the same.
type Options struct {
	// River is River's own configuration: queues, workers of other kinds, retry
	// policy, periodic jobs. Its zero fields have River's defaults, but for these:
	//
	//   - Queues: the default queue with ten workers. An empty map that isn't nil
	//     makes a client that inserts only.
	//   - Logger: slog.Default. It also gets what this package logs: a failed run
	//     at Warn; a reaction given up or of unknown name at Error.
	//   - RescueStuckJobsAfter: five minutes, or four more than a longer
	//     JobTimeout; without a time-out (-1) River's hour. This is how long after
	//     they began the reactions of a process that died are run again.
	//   - CancelledJobRetentionPeriod, DiscardedJobRetentionPeriod: -1, for ever,
	//     so that what was given up stays until Purge.
	River river.Config

	// AutoCommit lets a dispatch outside a transaction store its reactions in
	// transactions of their own. By default that is an error, txn.ErrNoTx.
	AutoCommit bool

	// InsertOpts returns the queue, priority, number of attempts, or time of a
	// reaction to data. Nil, as function or as result, means River's defaults.
	InsertOpts func(reaction string, data eventbus.Data) *river.InsertOpts
}

// Client stores reactions and runs them. TTx is the transaction of its driver:
// *sql.Tx of riversqlite, pgx.Tx of riverpgxv5. It is safe for concurrent use.
type Client[TTx any] struct {
	river      *river.Client[TTx]
	log        *slog.Logger
	schema     string
	autoCommit bool
	insertOpts func(string, eventbus.Data) *river.InsertOpts

	mu        sync.RWMutex
	reactions map[string]*reaction // by name and by alias
}

// New returns a Client on the driver's database. The opts may be nil. It doesn't
// use the database yet; the error is about the options.
func New[TTx any](driver riverdriver.Driver[TTx], opts *Options) (*Client[TTx], error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	cfg := &o.River
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Queues == nil {
		cfg.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 10}}
	}
	if cfg.RescueStuckJobsAfter == 0 && cfg.JobTimeout != -1 {
		cfg.RescueStuckJobsAfter = max(cfg.JobTimeout, time.Minute) + 4*time.Minute
	}
	cfg.CancelledJobRetentionPeriod = retention(cmp.Or(cfg.CancelledJobRetentionPeriod, -1))
	cfg.DiscardedJobRetentionPeriod = retention(cmp.Or(cfg.DiscardedJobRetentionPeriod, -1))
	cfg.CompletedJobRetentionPeriod = retention(cfg.CompletedJobRetentionPeriod)
	if cfg.Workers == nil {
		cfg.Workers = river.NewWorkers()
	}
	c := &Client[TTx]{
		log: cfg.Logger, schema: cfg.Schema, autoCommit: o.AutoCommit, insertOpts: o.InsertOpts,
		reactions: map[string]*reaction{},
	}
	if err := river.AddWorkerSafely(cfg.Workers, &worker[TTx]{client: c}); err != nil {
		return nil, fmt.Errorf("durable: new client: the River workers serve another client: %w", err)
	}
	rc, err := river.NewClient(driver, cfg)
	if err != nil {
		return nil, fmt.Errorf("durable: new client: %w", err)
	}
	c.river = rc
	return c, nil
}

// retention returns d, or a century for River's -1, which means for ever. The
// SQLite driver of River v0.47.0 takes that for a nanosecond: its JobDeleteBefore
// doesn't look at the DoDelete fields.
func retention(d time.Duration) time.Duration {
	if d == -1 {
		return 100 * 365 * 24 * time.Hour
	}
	return d
}

// Migrate brings River's tables in the database up to date, creating them where
// there are none. Programs that share a database may call it at any time;
// those who run migrations with tools of their own use River's instead.
func (c *Client[TTx]) Migrate(ctx context.Context) error {
	m, err := rivermigrate.New(c.river.Driver(), &rivermigrate.Config{Logger: c.log, Schema: c.schema})
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return fmt.Errorf("durable: migrate: %w", err)
	}
	return nil
}

// Start begins to run reactions, in goroutines of its own, until Stop or the end
// of ctx, which also ends the contexts of the handlers. Register all reactions
// before. A process that only dispatches needs no Start.
func (c *Client[TTx]) Start(ctx context.Context) error {
	if err := c.river.Start(ctx); err != nil {
		return fmt.Errorf("durable: start: %w", err)
	}
	return nil
}

// Stop takes no new reactions and waits for those that run, until ctx ends. The
// error is then that of ctx, and River's StopAndCancel ends them.
func (c *Client[TTx]) Stop(ctx context.Context) error {
	if err := c.river.Stop(ctx); err != nil {
		return fmt.Errorf("durable: stop: %w", err)
	}
	return nil
}

// River returns the River client beneath: for its subscriptions, queues, periodic
// jobs, and jobs of other kinds.
func (c *Client[TTx]) River() *river.Client[TTx] { return c.river }
