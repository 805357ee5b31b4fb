package queue

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"example.com/eventbus"
)

var errExited = errors.New("the handler called runtime.Goexit")

// outcome is what became of the job that a worker had.
type outcome int

const (
	fresh outcome = iota // there was none
	done
	failed
)

// work runs jobs until the queue is closed and empty. A handler that calls
// runtime.Goexit takes the goroutine along, so the worker goes on on another.
func (q *Queue) work(last outcome) {
	exited := true
	defer func() {
		if exited {
			go q.work(failed)
		}
	}()
	for j := new(job); q.next(last, j); {
		last = q.run(j)
	}
	exited = false
}

// next counts what became of the worker's last job, waits for another and moves
// it to j. It returns false, and has counted the worker out, when there will be
// none.
func (q *Queue) next(last outcome, j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch last {
	case done:
		q.stats.Done++
		q.stats.Running--
	case failed:
		q.stats.Failed++
		q.stats.Running--
	}
	for !q.take(j) {
		if q.closed {
			if q.workers--; q.workers == 0 {
				close(q.over)
			}
			return false
		}
		*j = job{} // an idle worker keeps nothing alive
		q.idle++
		q.wake.Wait()
		q.idle--
	}
	q.stats.Running++
	return true
}

// take moves the job whose turn it is to j, if there is one, and lets a producer
// in where that makes room. The caller holds the lock.
func (q *Queue) take(j *job) bool {
	if !(q.takes%8 == 7 && q.waiting.oldest(j) || q.due(j) || q.waiting.highest(j)) {
		return false
	}
	q.takes++
	for q.blocked.head != nil && q.waiting.len < q.opts.Capacity {
		n := q.blocked.pop()
		q.accept(&n.job, n.priority)
		n.answer <- nil
	}
	return true
}

// run runs j and reports a failure, once, whatever the handler does: the deferred
// function also runs when runtime.Goexit ends the goroutine.
func (q *Queue) run(j *job) (o outcome) {
	err := errExited
	defer func() {
		if v := recover(); v != nil {
			err = &eventbus.PanicError{Value: v, Stack: debug.Stack()}
		}
		if o = done; err != nil {
			o = failed
			q.tell(q.opts.OnError, j, err)
		}
	}()
	err = j.work.run(j.ctx, j.data)
	return o
}

// tell calls a hook, unless there is nothing to report. One that panics must end
// neither a worker nor a producer.
func (q *Queue) tell(hook func(context.Context, Job, error), j *job, err error) {
	report := j.report()
	defer func() {
		if v := recover(); v != nil {
			logTo(slog.LevelError, "queue: hook panicked")(j.ctx, report, &eventbus.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	if err := j.work.failure(j.data, err); err != nil {
		hook(j.ctx, report, err)
	}
}
