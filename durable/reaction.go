package durable

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/txn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// kind is what the jobs of this package are called in River's tables. The name
// of the reaction is in the arguments, since River gives up jobs whose kind it
// doesn't know.
const kind = "eventbus_reaction"

// unknownDelay is the time between two looks at a job whose name is unknown.
const unknownDelay = time.Minute

// args is what is stored of a reaction.
type args struct {
	Reaction string `json:"reaction"`
	Event    event  `json:"event"`
}

// event is a single string in the arguments: PostgreSQL indexes each key and
// value of those, at each change of the job's state.
type event struct {
	Key      string            `json:"key"`
	Domain   string            `json:"domain"`
	Action   string            `json:"action"`
	Params   []byte            `json:"params"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Time     time.Time         `json:"time"`
}

type plainEvent event

func (e event) MarshalText() ([]byte, error) { return json.Marshal(plainEvent(e)) }

func (e *event) UnmarshalText(text []byte) error { return json.Unmarshal(text, (*plainEvent)(e)) }

func (args) Kind() string { return kind }

// reaction is a registration.
type reaction struct {
	names   []string // its own, then the aliases
	handler eventbus.Handler
	next    eventbus.Func
}

// Reaction returns a Middleware that makes the handler a durable reaction with
// that name; see the package comment. Dispatch stores a job for it, in the
// transaction of the context (see txn.Run and txn.RunScope), and returns without
// running it.
//
// The dispatch fails where the job can't be stored, so return its error from the
// function of the transaction. Outside a transaction it fails with txn.ErrNoTx,
// unless Options.AutoCommit is set, and after its end with txn.ErrDone; both are
// permanent.
//
// An alias is a name that the reaction had before. Reaction panics where a name
// is empty, the registration where one is taken: a Middleware of Reaction is for
// one registration. Unregistering ends the dispatch; jobs that are stored still
// run.
func (c *Client[TTx]) Reaction(name string, aliases ...string) eventbus.Middleware {
	names := append([]string{name}, aliases...)
	for _, n := range names {
		if n == "" {
			panic(fmt.Sprintf("durable: reaction %q: a name is empty", name))
		}
	}
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		c.add(&reaction{names: names, handler: h, next: next})
		return func(ctx context.Context, data eventbus.Data) error {
			if err := c.insert(ctx, name, data); err != nil {
				return fmt.Errorf("durable: store reaction %q: %w", name, err)
			}
			return nil
		}
	}
}

func (c *Client[TTx]) add(r *reaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range r.names {
		if old := c.reactions[n]; old != nil {
			panic(fmt.Sprintf("durable: reaction %q of %v at %s: the name is taken by %v at %s",
				n, r.handler, r.handler.Source, old.handler, old.handler.Source))
		}
	}
	for _, n := range r.names {
		c.reactions[n] = r
	}
}

func (c *Client[TTx]) reaction(name string) *reaction {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.reactions[name]
}

func (c *Client[TTx]) insert(ctx context.Context, name string, data eventbus.Data) error {
	a := args{name, event{
		Key: rand.Text(), Domain: data.Domain, Action: data.Action,
		Params: data.RawParams, Metadata: metadata.All(ctx), Time: time.Now().UTC(),
	}}
	var opts *river.InsertOpts
	if c.insertOpts != nil {
		opts = c.insertOpts(name, data)
	}
	tx, err := txn.From[TTx](ctx)
	switch {
	case err == nil:
		_, err = c.river.InsertTx(ctx, tx, a, opts)
	case errors.Is(err, txn.ErrNoTx) && c.autoCommit:
		_, err = c.river.Insert(ctx, a, opts)
	case errors.Is(err, txn.ErrNoTx):
		return eventbus.Permanent(fmt.Errorf("%w: dispatch within txn.Run, or set Options.AutoCommit", err))
	default:
		return eventbus.Permanent(err)
	}
	return err
}

// Job is a reaction that is stored.
type Job struct {
	ID          int64             // for Filter.ID; may be used again once the job was purged
	Key         string            // the same in each run, and no other job's, ever: an idempotency key
	Reaction    string            // the name that it was stored under
	Event       eventbus.Data     // byte for byte as dispatched
	Metadata    map[string]string // of the dispatch
	Time        time.Time         // of the dispatch, UTC
	State       State
	Attempt     int       // the runs that began, this one too
	MaxAttempts int       // the run that is the last, if it fails
	NextRun     time.Time // when the run is due, or was
	LastError   string    // of the last run that failed
}

// From returns the job whose run ctx belongs to. It is false outside of such a
// run, which is where a handler is that was registered without Reaction.
func From(ctx context.Context) (Job, bool) {
	job, ok := ctx.Value(contextKey{}).(*river.Job[args])
	if !ok {
		return Job{}, false
	}
	return newJob(job.JobRow, job.Args), true
}

// Complete marks the reaction whose run ctx belongs to as done, in the
// transaction that ctx holds. If that commits, both the handler's rows and the
// mark are there, and the handler must return nil; otherwise neither is, and the
// handler must return the error. So what the handler wrote in the transaction is
// written exactly once. What it did elsewhere may still be done twice.
//
//	func (s *Service) Bill(ctx context.Context, o Order) error {
//		return txn.Run(ctx, s.db, nil, func(ctx context.Context) error {
//			// INSERT INTO invoices …
//			return s.reactions.Complete(ctx)
//		})
//	}
//
// It fails outside a run and outside a transaction on River's database, and
// where the reaction was taken from this run since it took too long: then the
// transaction must not commit.
func (c *Client[TTx]) Complete(ctx context.Context) error {
	job, ok := ctx.Value(contextKey{}).(*river.Job[args])
	if !ok {
		return errors.New("durable: complete: the context is of no reaction's run")
	}
	tx, err := txn.From[TTx](ctx)
	if err == nil {
		var done *river.Job[args]
		done, err = river.JobCompleteTx[riverdriver.Driver[TTx]](ctx, tx, job)
		if err == nil && (done.State != rivertype.JobStateCompleted || done.Attempt != job.Attempt) {
			err = errors.New("it was taken from this run, which took too long")
		}
	}
	if err != nil {
		return fmt.Errorf("durable: complete reaction %q: %w", job.Args.Reaction, err)
	}
	return nil
}

type contextKey struct{}

// worker runs all reactions.
type worker[TTx any] struct {
	river.WorkerDefaults[args]
	client *Client[TTx]
}

func (w *worker[TTx]) Work(ctx context.Context, job *river.Job[args]) error {
	e, log := job.Args.Event, w.client.log
	attrs := []slog.Attr{slog.String("reaction", job.Args.Reaction), slog.String("domain", e.Domain), slog.String("action", e.Action),
		slog.Int64("job", job.ID), slog.String("key", e.Key)}
	r := w.client.reaction(job.Args.Reaction)
	if r == nil {
		log.LogAttrs(ctx, slog.LevelError, "durable: no reaction of that name is registered here; it stays stored", attrs...)
		return river.JobSnooze(unknownDelay)
	}
	data := eventbus.Data{Domain: e.Domain, Action: e.Action, RawParams: e.Params}
	err := r.run(context.WithValue(metadata.WithAll(ctx, e.Metadata), contextKey{}, job), data)
	if err == nil || errors.As(err, new(*river.JobSnoozeError)) {
		return err
	}
	level, msg := slog.LevelWarn, "durable: reaction failed, to be retried"
	if eventbus.IsPermanent(err) {
		err = river.JobCancel(err)
	}
	if job.Attempt >= job.MaxAttempts || errors.As(err, new(*river.JobCancelError)) {
		level, msg = slog.LevelError, "durable: reaction given up"
	}
	attrs = append(attrs, slog.String("handler", r.handler.Name), slog.String("source", r.handler.Source),
		slog.Int("attempt", job.Attempt), slog.Int("max_attempts", job.MaxAttempts), slog.Any("err", err))
	if p, ok := errors.AsType[*eventbus.PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	log.LogAttrs(ctx, level, msg, attrs...)
	return err
}

func (r *reaction) run(ctx context.Context, data eventbus.Data) (err error) {
	defer func() {
		if v := recover(); v != nil { // of a middleware: the bus recovers the handler
			err = &eventbus.PanicError{Value: v, Stack: debug.Stack()}
		}
		if err != nil {
			err = &eventbus.HandlerError{Handler: r.handler, Domain: data.Domain, Action: data.Action, Err: err}
		}
	}()
	return r.next(ctx, data)
}
