package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	errOldest = fmt.Errorf("dropped for a newer one: %w", ErrFull)
	errNotRun = fmt.Errorf("not run: %w", ErrClosed)
	errSelf   = errors.New("called by a job of the queue, which would wait for itself")
)

// CloseError says what a queue left undone.
type CloseError struct {
	NotRun      []Job // dropped: their time had not come, or the context was done first
	Interrupted int   // how many were running when Close ended their context
	Err         error // of the context that was done before the queue was; nil if none was
}

func (e *CloseError) Error() string {
	text := fmt.Sprintf("queue: closed with %d jobs not run and %d interrupted", len(e.NotRun), e.Interrupted)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }

// Drain refuses further events with ErrClosed, those of handlers on the queue too,
// and waits until the accepted ones have run. What a Batch has collected is handed
// over. What is scheduled for later is dropped. Then the workers have ended.
//
// Where ctx is done first the error says so, and the workers go on: call Drain
// again to wait on, or Close. Otherwise it is a *CloseError if anything was left
// undone. With the context of a job on the queue Drain fails at once.
func (q *Queue) Drain(ctx context.Context) error {
	if q.runs(ctx) {
		return fmt.Errorf("queue: drain: %w", errSelf)
	}
	q.shut()
	if !q.wait(ctx) {
		s := q.Stats()
		return fmt.Errorf("queue: drain: %d waiting and %d running: %w", s.Waiting+s.Scheduled, s.Running, ctx.Err())
	}
	return q.left()
}

// Close is Drain with an end: once ctx is done, the jobs that wait are dropped and
// the contexts of those that run end, with ErrClosed as their cause. Close waits
// for these to return, so that no handler uses what the program closes next. One
// that ignores its context keeps Close waiting, since nothing else can end it.
//
// The error is a *CloseError if anything was left undone. Close may be called
// again, and after Drain. With the context of a job on the queue it fails at once.
func (q *Queue) Close(ctx context.Context) error {
	if q.runs(ctx) {
		return fmt.Errorf("queue: close: %w", errSelf)
	}
	q.shut()
	if !q.wait(ctx) {
		q.stop(ctx.Err())
		<-q.over
	}
	q.end(ErrClosed)
	return q.left()
}

// wait reports whether the workers have ended, or else ctx is done.
func (q *Queue) wait(ctx context.Context) bool {
	select {
	case <-q.over:
		return true
	default:
	}
	select {
	case <-q.over:
		return true
	case <-ctx.Done():
		return false
	}
}

// shut refuses what comes and drops what is scheduled for later.
func (q *Queue) shut() {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	for n := q.blocked.pop(); n != nil; n = q.blocked.pop() {
		n.answer <- ErrClosed
	}
	now := time.Now()
	late := q.drop(q.unscheduleAll(func(t *Timer) bool { return !t.flush && now.Before(t.at) }))
	for _, j := range q.unscheduleAll(func(t *Timer) bool { return t.flush }) {
		q.waiting.push(0, &j) // after the full batches that wait
	}
	q.closed = true
	q.wake.Broadcast()
	q.mu.Unlock()
	q.tellDropped(late)
}

// stop drops what waits and ends the context of what runs.
func (q *Queue) stop(why error) {
	q.mu.Lock()
	jobs := q.unscheduleAll(func(*Timer) bool { return true })
	for n := q.waiting.oldest(); n != nil; n = q.waiting.oldest() {
		jobs = append(jobs, n.job)
	}
	q.drop(jobs)
	if q.cut == nil && len(jobs)+q.stats.Running > 0 {
		q.cut, q.interrupted = why, q.stats.Running
	}
	q.mu.Unlock()
	q.end(ErrClosed)
	q.tellDropped(jobs)
}

// drop counts jobs, in the order they were accepted. The caller holds the lock,
// and tells the hook without it.
func (q *Queue) drop(jobs []job) []job {
	slices.SortFunc(jobs, func(x, y job) int { return cmp.Compare(x.seq, y.seq) })
	q.stats.Dropped += uint64(len(jobs))
	for i := range jobs {
		q.notRun = append(q.notRun, jobs[i].report())
	}
	return jobs
}

func (q *Queue) tellDropped(jobs []job) {
	for i := range jobs {
		q.tell(q.opts.OnDrop, &jobs[i], errNotRun)
	}
}

func (q *Queue) left() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.notRun)+q.interrupted == 0 {
		return nil
	}
	return &CloseError{NotRun: slices.Clone(q.notRun), Interrupted: q.interrupted, Err: q.cut}
}
