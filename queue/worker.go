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
	for n := q.next(last, new(node)); n != nil; n = q.next(last, n) {
		last = q.run(&n.job)
		n.job = job{}
	}
	exited = false
}

// next counts what became of the worker's last job, takes back its node, and waits
// for another job. It returns nil, and has counted the worker out, when there will
// be none.
func (q *Queue) next(last outcome, old *node) *node {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.recycle(old)
	switch last {
	case fresh:
	case done:
		q.stats.Done++
		q.stats.Running--
	case failed:
		q.stats.Failed++
		q.stats.Running--
	}
	for {
		if n := q.take(); n != nil {
			q.stats.Running++
			return n
		}
		if q.closed {
			break
		}
		q.idle++
		q.wake.Wait()
		q.idle--
	}
	if q.workers--; q.workers == 0 {
		close(q.over)
	}
	return nil
}

// take pops the job whose turn it is, nil if there is none, and lets producers in
// where that makes room. The caller holds the lock.
func (q *Queue) take() *node {
	var n *node
	if q.takes%8 == 7 {
		n = q.waiting.oldest()
	}
	if n == nil {
		n = q.due()
	}
	if n == nil {
		n = q.waiting.highest()
	}
	if n == nil {
		return nil
	}
	q.takes++
	for q.blocked.head != nil && q.waiting.len < q.opts.Capacity {
		b := q.blocked.pop()
		q.accept(&b.job, b.priority)
		b.answer <- nil
	}
	return n
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
