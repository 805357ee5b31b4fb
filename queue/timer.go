package queue

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/eventbus"
)

// Timer is a job that waits for its time.
type Timer struct {
	job   job
	at    time.Time
	index int  // in the queue's timers; -1 once it left them
	flush bool // runs early rather than not at all
}

// At runs fn with data on the next free worker once it is t, or at once where that
// has passed: bus.Publish and bus.Call make it a whole event. It takes any number
// of jobs and never waits; they don't count towards the capacity. The error is
// ErrClosed.
//
// What is still too early when the queue closes is dropped.
func (q *Queue) At(ctx context.Context, t time.Time, fn eventbus.Func, data eventbus.Data) (*Timer, error) {
	timer := &Timer{at: t}
	if err := q.schedule(ctx, timer, function(fn), data); err != nil {
		return nil, err
	}
	return timer, nil
}

// After is At the time d from now.
func (q *Queue) After(ctx context.Context, d time.Duration, fn eventbus.Func, data eventbus.Data) (*Timer, error) {
	return q.At(ctx, time.Now().Add(d), fn, data)
}

// Stop takes the job back and reports whether it did, and so kept it from running.
// It returns false once a worker has taken the job, and when it was stopped or
// dropped before.
func (t *Timer) Stop() bool {
	q := t.job.ctx.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.unschedule(t) {
		return false
	}
	q.stats.Canceled++
	return true
}

func (q *Queue) schedule(ctx context.Context, t *Timer, w work, data eventbus.Data) error {
	t.job = q.job(ctx, w, data)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fmt.Errorf("queue: schedule %s: %w", t.job.String(), ErrClosed)
	}
	q.accepted++
	t.job.seq = q.accepted
	heap.Push(&q.timers, t)
	if t.index == 0 {
		q.arm()
	}
	return nil
}

// unschedule reports whether t was still scheduled. The caller holds the lock.
func (q *Queue) unschedule(t *Timer) bool {
	if t.index < 0 {
		return false
	}
	first := t.index == 0
	heap.Remove(&q.timers, t.index)
	if first {
		q.arm()
	}
	return true
}

// hurry makes t due.
func (q *Queue) hurry(t *Timer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.index >= 0 {
		t.at = time.Now()
		heap.Fix(&q.timers, t.index)
		q.arm()
	}
}

// unscheduleAll removes the jobs of all timers that match. The caller holds the
// lock.
func (q *Queue) unscheduleAll(match func(*Timer) bool) (jobs []job) {
	for _, t := range slices.Clone(q.timers) {
		if match(t) && q.unschedule(t) {
			jobs = append(jobs, t.job)
		}
	}
	return jobs
}

// due pops the first job that is due, nil if there is none. The caller holds the
// lock.
func (q *Queue) due() *node {
	if len(q.timers) == 0 || !q.closed && time.Now().Before(q.timers[0].at) {
		return nil
	}
	t := heap.Pop(&q.timers).(*Timer)
	q.arm()
	return q.waiting.node(&t.job)
}

// tick is what the clock does.
func (q *Queue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arm()
}

// arm sees to it that the first timer finds a worker: now, where it is due, or
// when the clock says so. Who takes it arms for the next. The caller holds the lock.
func (q *Queue) arm() {
	if len(q.timers) == 0 || q.closed {
		q.clock.Stop()
	} else if d := time.Until(q.timers[0].at); d > 0 {
		q.clock.Reset(d)
	} else if q.idle > 0 {
		q.wake.Signal()
	}
}

// timers is a heap, the earliest first.
type timers []*Timer

func (s timers) Len() int { return len(s) }

func (s timers) Less(i, j int) bool {
	if c := s[i].at.Compare(s[j].at); c != 0 {
		return c < 0
	}
	return s[i].job.seq < s[j].job.seq
}

func (s timers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *timers) Push(x any) {
	t := x.(*Timer)
	t.index = len(*s)
	*s = append(*s, t)
}

func (s *timers) Pop() any {
	last := len(*s) - 1
	t := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	t.index = -1
	return t
}
