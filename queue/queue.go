// Package queue runs handlers off their caller's goroutine: on a fixed number of
// workers, from a bounded queue, by priority, now or at a later time.
//
//	q := queue.New(queue.Options{})
//	defer q.Close(ctx) // finishes what was accepted, until ctx is done
//
//	bus.Register("user", "created", mail.Welcome, q.Async(0)) // one handler
//	err := q.Publish(ctx, bus, created)                       // a whole event
//	timer, err := q.After(ctx, time.Hour, bus.Publish, remind)
//
// # Accepted, refused, dropped
//
// Who hands over an event gets an error if the queue doesn't accept it: ErrFull,
// ErrClosed or that of the context that was done before there was room. An
// accepted event is one job, and a job ends in exactly one way, counted in Stats:
//
//   - Done: it ran and returned nil.
//   - Failed: it ran and returned an error, panicked (a *eventbus.PanicError) or
//     called runtime.Goexit. Options.OnError is told, since the caller has gone.
//     None of the three costs the queue a worker, and none is tried again:
//     retrying is middleware.
//   - Dropped: it never ran, since DropOldest made room or the queue closed.
//     Options.OnDrop is told.
//   - Canceled: its Timer was stopped.
//
// Jobs are in memory: a process that dies takes them along. Events that must
// survive that need package durable.
//
// # Order
//
// A worker takes what a Timer made due, then the highest priority, and within one
// priority what was accepted first. Every 8th take is the job that has waited
// longest, whatever its priority, so that a flood of important events delays the
// others but never starves them. With more than one worker jobs overlap, and the
// later of two may end first.
//
// # The handler's context
//
// A handler runs with the values of its caller's context, but without its
// transaction, deadline and cancellation (see txn.Detach): the caller may return
// before the handler starts. Close ends it, with ErrClosed as its cause: while the
// handler runs only if Close is out of time, otherwise when all have returned.
//
// The hand-over itself knows no transaction: a handler runs even if its caller
// rolls back later. Put it off until after the commit to have both:
//
//	bus.Register("order", "placed", mail.Confirm, txn.AfterCommit(), q.Async(0))
//
// # Handlers that feed their own queue
//
// Under Block a full queue makes producers wait for a worker, and a worker must
// not wait for itself. So what is handed over with the context of a job of the
// same queue, or one derived from it, never waits: a full queue accepts it beyond
// its capacity. A handler that hands over with another context, such as
// context.Background(), waits like any producer; if all workers do so at once
// they wait until their contexts are done or the queue closes. The same goes for
// two queues whose handlers feed each other: give one of them Reject.
//
// The bus can't see a cycle of events that goes through a queue: they set each
// other off for as long as the queue is open.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"time"

	"example.com/eventbus"
)

var (
	// ErrFull says that as many jobs wait as the queue has capacity for.
	ErrFull = errors.New("the queue is full")

	// ErrClosed says that Drain or Close was called.
	ErrClosed = errors.New("the queue is closed")
)

// Overflow is what happens to an event for which a queue has no room.
type Overflow int

const (
	// Block makes the producer wait until there is room or its context is done.
	// Room goes to the producer that has waited longest.
	Block Overflow = iota

	// DropOldest makes room: the job that has waited longest is dropped, whatever
	// its priority.
	DropOldest

	// Reject refuses the event with ErrFull.
	Reject
)

// Options are the settings of a Queue. The zero value is right for most.
type Options struct {
	// Workers is how many jobs run at once, each on a goroutine of its own.
	// 0 is runtime.GOMAXPROCS(0).
	Workers int

	// Capacity is how many jobs may wait for a worker; 0 is 1024. Jobs that run
	// and jobs that wait for their time don't count.
	Capacity int

	// Overflow is what happens when Capacity is reached; by default Block.
	Overflow Overflow

	// OnError is given each job that failed: what the handler returned in a
	// *eventbus.HandlerError, what Publish or Call returned, or a *BatchError. It
	// is called on the worker, with the handler's context, and several workers
	// may call it at once. The default logs at Error to slog.Default, without
	// params.
	OnError func(ctx context.Context, job Job, err error)

	// OnDrop is given each job that was accepted and won't run, with the same
	// kinds of error: they wrap ErrFull where the job made room for a newer one,
	// ErrClosed where the queue closed. It is called on the goroutine that caused
	// it: a producer's, or that of Drain or Close. The default logs at Warn to
	// slog.Default, without params.
	OnDrop func(ctx context.Context, job Job, err error)
}

// Queue runs jobs on its workers. Make one with New, and Close it. Its methods may
// be called by several goroutines at once, also from handlers it runs.
type Queue struct {
	opts  Options
	ctx   context.Context // ends the context of every job
	end   context.CancelCauseFunc
	over  chan struct{} // closed by the last worker
	nodes sync.Pool     // of producers that wait

	mu          sync.Mutex
	wake        *sync.Cond // what idle workers wait for
	idle        int
	workers     int
	takes       uint
	accepted    uint64
	waiting     line
	blocked     fifo // producers that wait for room
	timers      timers
	clock       *time.Timer // for the first of timers
	closed      bool
	stats       Stats // but for what the fields above say
	notRun      []Job
	interrupted int
	cut         error // why Close didn't wait for the rest
}

// New starts the workers of a queue. It panics where an option is negative or no
// Overflow.
func New(o Options) *Queue {
	if o.Workers < 0 || o.Capacity < 0 || o.Overflow < Block || o.Overflow > Reject {
		panic(fmt.Sprintf("queue: new with %d workers, capacity %d, overflow %d: none may be negative, and Reject is %d", o.Workers, o.Capacity, o.Overflow, Reject))
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Capacity == 0 {
		o.Capacity = 1024
	}
	if o.OnError == nil {
		o.OnError = logTo(slog.LevelError, "queue: job failed")
	}
	if o.OnDrop == nil {
		o.OnDrop = logTo(slog.LevelWarn, "queue: job dropped")
	}
	q := &Queue{opts: o, over: make(chan struct{}), workers: o.Workers}
	q.ctx, q.end = context.WithCancelCause(context.Background())
	q.wake = sync.NewCond(&q.mu)
	q.nodes.New = func() any { return &node{answer: make(chan error, 1)} }
	q.clock = time.AfterFunc(math.MaxInt64, q.tick)
	q.clock.Stop()
	for range o.Workers {
		go q.work(fresh)
	}
	return q
}

// Async moves a handler onto the queue: its caller goes on as soon as the queue
// has accepted the event, and gets an error only where it doesn't. Higher
// priorities run first; 0 is as good as any to start with.
//
// Middleware given before Async, and that of the bus, wraps the hand-over and runs
// on the caller's goroutine; middleware given after it wraps the run, on the
// worker:
//
//	bus.Register("user", "created", mail.Welcome, q.Async(0), retry)
//
// A Middleware makes a Func of any other, so this publishes whole events with a
// priority: q.Async(5)(eventbus.Handler{Name: "Publish"}, bus.Publish).
func (q *Queue) Async(priority int) eventbus.Middleware {
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		w := &handler{h, next}
		return func(ctx context.Context, data eventbus.Data) error {
			return q.submit(ctx, q.job(ctx, w, data), priority)
		}
	}
}

// Publish is bus.Publish on the queue, at priority 0. The error says why the
// queue doesn't accept the event; those of the handlers go to Options.OnError.
func (q *Queue) Publish(ctx context.Context, bus *eventbus.Bus, data eventbus.Data) error {
	return q.submit(ctx, q.job(ctx, publish{bus}, data), 0)
}

// Call is bus.Call on the queue, otherwise the same as Publish.
func (q *Queue) Call(ctx context.Context, bus *eventbus.Bus, data eventbus.Data) error {
	return q.submit(ctx, q.job(ctx, call{bus}, data), 0)
}

// submit accepts j or says why not. With ctx it waits for room.
func (q *Queue) submit(ctx context.Context, j job, priority int) error {
	err := q.offer(&j, priority, false)
	if err != nil && q.opts.Overflow == Block && errors.Is(err, ErrFull) {
		if q.runs(ctx) {
			err = q.offer(&j, priority, true)
		} else {
			err = q.await(ctx, &j, priority)
		}
	}
	if err != nil {
		return fmt.Errorf("queue: accept %s: %w", j.String(), err)
	}
	return nil
}

// offer accepts j if there is room, or anyway.
func (q *Queue) offer(j *job, priority int, anyway bool) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	if q.waiting.len < q.opts.Capacity || anyway {
		q.accept(j, priority)
		q.mu.Unlock()
		return nil
	}
	if q.opts.Overflow != DropOldest {
		q.mu.Unlock()
		return ErrFull
	}
	n := q.waiting.oldest()
	out := n.job
	q.waiting.recycle(n)
	q.stats.Dropped++
	q.accept(j, priority)
	q.mu.Unlock()
	q.tell(q.opts.OnDrop, &out, errOldest)
	return nil
}

// await accepts j when there is room, unless ctx is done before that.
func (q *Queue) await(ctx context.Context, j *job, priority int) error {
	n := q.nodes.Get().(*node)
	n.job, n.priority = *j, priority
	defer func() {
		n.job = job{}
		q.nodes.Put(n)
	}()
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrClosed
	case q.waiting.len < q.opts.Capacity: // by now
		q.accept(j, priority)
		q.mu.Unlock()
		return nil
	}
	q.blocked.push(n)
	q.mu.Unlock()
	select {
	case err := <-n.answer:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	gone := q.blocked.remove(n)
	q.mu.Unlock()
	if gone {
		return fmt.Errorf("wait for room: %w", ctx.Err())
	}
	return <-n.answer // which came first
}

// accept lets j wait for a worker. The caller holds the lock.
func (q *Queue) accept(j *job, priority int) {
	q.accepted++
	j.seq = q.accepted
	q.waiting.push(priority, j)
	if q.idle > 0 {
		q.wake.Signal()
	}
}

// Stats are the counts of a Queue at one moment. Every accepted job is in exactly
// one of the others.
type Stats struct {
	Accepted uint64 // jobs, ever

	Done     uint64 // ran and returned nil
	Failed   uint64 // ran, and returned an error, panicked or called runtime.Goexit
	Dropped  uint64 // won't run: made room for a newer one, or the queue closed
	Canceled uint64 // won't run: a Timer was stopped, or a Batch flushed by Flush

	Waiting   int // for a worker
	Scheduled int // for their time, or due and about to be taken
	Running   int
}

// Stats returns the counts of now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Accepted, s.Waiting, s.Scheduled = q.accepted, q.waiting.len, len(q.timers)
	return s
}

// logTo is the hook of those who set none.
func logTo(level slog.Level, msg string) func(context.Context, Job, error) {
	return func(ctx context.Context, job Job, err error) {
		log := slog.Default()
		if p, ok := errors.AsType[*eventbus.PanicError](err); ok {
			log = log.With("stack", string(p.Stack))
		}
		log.LogAttrs(ctx, level, msg, slog.String("domain", job.Data.Domain), slog.String("action", job.Data.Action),
			slog.String("handler", job.Handler.Name), slog.String("source", job.Handler.Source), slog.Any("err", err))
	}
}
