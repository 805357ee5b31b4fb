package queue

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/txn"
)

// Job is one accepted event on its way to one handler, as hooks and errors report
// it.
type Job struct {
	// Handler is whose turn it is: a registration, or "Publish" or "Call" of a
	// whole event, or the function of a Timer or a Batch.
	Handler eventbus.Handler
	Data    eventbus.Data // zero for a Batch
}

// job is a Job on its way.
type job struct {
	ctx  *jobContext
	work work
	data eventbus.Data
	seq  uint64 // in the order of acceptance
}

func (j *job) report() Job { return Job{Handler: j.work.handler(j.data), Data: j.data} }

// String is what an error calls j: user/created for mail.Welcome.
func (j *job) String() string {
	name := j.work.handler(j.data).Name
	if j.data.Domain == "" && j.data.Action == "" {
		return name // of a Batch
	}
	return j.data.String() + " for " + name
}

// work is what a job does.
type work interface {
	run(context.Context, eventbus.Data) error
	handler(eventbus.Data) eventbus.Handler
	failure(eventbus.Data, error) error // err, with who and what; nil if there is nothing to report
}

// handler is the work of one handler of a bus.
type handler struct {
	h  eventbus.Handler
	fn eventbus.Func
}

func (w *handler) run(ctx context.Context, d eventbus.Data) error { return w.fn(ctx, d) }
func (w *handler) handler(eventbus.Data) eventbus.Handler         { return w.h }
func (w *handler) failure(d eventbus.Data, err error) error       { return failure(w, d, err) }

// function is any other Func.
type function eventbus.Func

func (w function) run(ctx context.Context, d eventbus.Data) error { return w(ctx, d) }
func (w function) failure(d eventbus.Data, err error) error       { return failure(w, d, err) }
func (w function) handler(d eventbus.Data) eventbus.Handler {
	return eventbus.Handler{Domain: d.Domain, Action: d.Action, Name: funcName(w)}
}

// publish and call are whole events. They are types of their own, and pointers, so
// that a job of theirs allocates no closure.
type publish struct{ bus *eventbus.Bus }

func (w publish) run(ctx context.Context, d eventbus.Data) error { return w.bus.Publish(ctx, d) }
func (w publish) failure(d eventbus.Data, err error) error       { return failure(w, d, err) }
func (w publish) handler(d eventbus.Data) eventbus.Handler {
	return eventbus.Handler{Domain: d.Domain, Action: d.Action, Name: "Publish"}
}

type call struct{ bus *eventbus.Bus }

func (w call) run(ctx context.Context, d eventbus.Data) error { return w.bus.Call(ctx, d) }
func (w call) failure(d eventbus.Data, err error) error       { return failure(w, d, err) }
func (w call) handler(d eventbus.Data) eventbus.Handler {
	return eventbus.Handler{Domain: d.Domain, Action: d.Action, Name: "Call"}
}

// failure names who failed, unless a bus has done so. (Where a handler's own error
// comes from a bus that it called, that bus has named another.)
func failure(w work, d eventbus.Data, err error) error {
	switch w.(type) {
	case publish, call:
		if _, ok := errors.AsType[*eventbus.HandlerError](err); ok {
			return err
		}
	}
	return &eventbus.HandlerError{Handler: w.handler(d), Domain: d.Domain, Action: d.Action, Err: err}
}

// jobContext is the context of a handler on the queue. It ends with the queue and
// has the values of the context that the job was handed over with.
type jobContext struct {
	q        *Queue
	from     context.Context
	detached atomic.Pointer[context.Context] // from, once somebody looked for a value
}

// job returns a job that has the values of ctx. A job made by a job, made by a job,
// and so on, must not be the end of an endless chain of contexts.
func (q *Queue) job(ctx context.Context, w work, data eventbus.Data) job {
	c, ok := ctx.(*jobContext)
	if !ok {
		c = &jobContext{q: q, from: ctx}
	} else if c.q != q {
		c = &jobContext{q: q, from: c.from}
	}
	return job{ctx: c, work: w, data: data}
}

func (c *jobContext) Deadline() (time.Time, bool) { return c.q.ctx.Deadline() }
func (c *jobContext) Done() <-chan struct{}       { return c.q.ctx.Done() }
func (c *jobContext) Err() error                  { return c.q.ctx.Err() }

// Value asks the queue's context first: it has what package context needs to make
// contexts that end with it, and no other value. Most events are spared the
// allocation of a detached context: nobody looks for a value.
func (c *jobContext) Value(key any) any {
	if key == (runner{}) {
		return c.q
	}
	if v := c.q.ctx.Value(key); v != nil {
		return v
	}
	d := c.detached.Load()
	if d == nil {
		from := txn.Detach(c.from)
		d = &from
		c.detached.Store(d) // two who are here at once store the same
	}
	return (*d).Value(key)
}

// runner is the key of the queue whose job a context is of.
type runner struct{}

func (q *Queue) runs(ctx context.Context) bool { return ctx.Value(runner{}) == any(q) }

// funcName returns the name of fn as people write it.
func funcName(fn any) string {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	name = strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], "-fm")
	return strings.ReplaceAll(name, "%2e", ".") // the linker's way with dots
}
