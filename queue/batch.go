package queue

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"example.com/eventbus"
)

// Batch collects items, such as the decoded params of events, and hands them to
// one function many at a time. Make one with NewBatch. Its methods may be called
// by several goroutines at once.
type Batch[T any] struct {
	q    *Queue
	size int
	age  time.Duration
	fn   func(context.Context, []T) error
	name string

	mu   sync.Mutex
	open *collected[T] // what the next item goes to; nil at first
}

// NewBatch returns a Batch that collects up to size items, for up to age, and then
// runs fn with them on q. An age of 0 sets no limit. It panics where size is less
// than 1 or fn is nil.
//
// Add is a handler of params decoded to a T, or of whole events where T is
// eventbus.Data:
//
//	views := queue.NewBatch(q, 100, time.Second, store.InsertViews)
//	eventbus.On(bus, "page", "viewed", views.Add)
//
// A full batch is a job of the queue like any other, at priority 0. One that comes
// of age is due as a Timer is. When the queue drains it hands over what was
// collected, so a Batch needs no Close: after that of its queue, Add fails with
// ErrClosed.
//
// The fn owns the slice, and may run for several batches at once. Its context has
// no values, since the items come from many callers. Where it fails, or the batch
// is dropped, the queue's hooks get a *BatchError that holds the items.
func NewBatch[T any](q *Queue, size int, age time.Duration, fn func(ctx context.Context, items []T) error) *Batch[T] {
	if size < 1 || fn == nil {
		panic(fmt.Sprintf("queue: new batch of size %d: the size must be positive and the function not nil", size))
	}
	if age <= 0 {
		age = math.MaxInt64
	}
	return &Batch[T]{q: q, size: size, age: age, fn: fn, name: funcName(fn)}
}

// Add collects item. Whoever fills a batch hands it over, and so may meet a full
// queue: the Overflow then applies to the batch. An error means that item was not
// collected, and that no other was lost.
func (b *Batch[T]) Add(ctx context.Context, item T) error {
	c, full, err := b.add(item)
	if err != nil || !full {
		return err
	}
	j := b.q.job(context.Background(), &batch[T]{from: c}, eventbus.Data{})
	if err := b.q.submit(ctx, j, 0); err != nil && b.takeBack(c) {
		return err
	}
	c.timer.Stop()
	return nil
}

// Flush hands over what is collected now, on the caller's goroutine and with ctx,
// and returns when that is handled. It doesn't wait for batches handed over
// before. The error is a *BatchError.
func (b *Batch[T]) Flush(ctx context.Context) (err error) {
	b.mu.Lock()
	c := b.open
	b.mu.Unlock()
	if c == nil {
		return nil
	}
	w := &batch[T]{from: c}
	defer func() {
		c.timer.Stop()
		if v := recover(); v != nil {
			err = &eventbus.PanicError{Value: v, Stack: debug.Stack()}
		}
		if err != nil {
			err = w.failure(eventbus.Data{}, err)
		}
	}()
	return w.run(ctx, eventbus.Data{})
}

// add reports whether item filled the batch, which then is the caller's to hand
// over.
func (b *Batch[T]) add(item T) (c *collected[T], full bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		c := &collected[T]{b: b, timer: &Timer{at: time.Now().Add(b.age), flush: true}}
		if err := b.q.schedule(context.Background(), c.timer, &batch[T]{from: c}, eventbus.Data{}); err != nil {
			return nil, false, err
		}
		b.open = c
	}
	c = b.open
	c.items = append(c.items, item)
	if full = len(c.items) == b.size; full {
		b.open = nil
	}
	return c, full, nil
}

// takeBack removes the last item of a full batch that the queue refused, and lets
// the rest collect again, or if there is another by now, run. It returns false
// where the batch came of age meanwhile, and so was handed over with the item.
func (b *Batch[T]) takeBack(c *collected[T]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.taken {
		return false
	}
	c.items = c.items[:b.size-1]
	if b.open == nil {
		b.open = c
	} else {
		b.q.hurry(c.timer)
	}
	return true
}

// collected is one batch while it collects and waits.
type collected[T any] struct {
	b     *Batch[T]
	timer *Timer
	items []T  // guarded by b.mu, as is
	taken bool // whether they went to a worker, to Flush or to a hook
}

func (c *collected[T]) take() []T {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.b.open == c {
		c.b.open = nil
	}
	items := c.items
	c.items, c.taken = nil, true
	return items
}

// batch is the work of a job: one for when it is full, one for when it is of age.
// The first takes the items, the other finds none.
type batch[T any] struct {
	from  *collected[T]
	items []T
}

func (w *batch[T]) run(ctx context.Context, _ eventbus.Data) error {
	if w.items = w.from.take(); len(w.items) == 0 {
		return nil
	}
	return w.from.b.fn(ctx, w.items)
}

func (w *batch[T]) handler(eventbus.Data) eventbus.Handler {
	return eventbus.Handler{Name: w.from.b.name}
}

func (w *batch[T]) failure(_ eventbus.Data, err error) error {
	if w.items == nil { // dropped
		w.items = w.from.take()
	}
	if len(w.items) == 0 {
		return nil
	}
	return &BatchError[T]{Items: w.items, Err: err, name: w.from.b.name}
}

// BatchError holds the items that were lost.
type BatchError[T any] struct {
	Items []T
	Err   error // the function's error, a *eventbus.PanicError, or why the batch was dropped
	name  string
}

// Error leaves the items out.
func (e *BatchError[T]) Error() string {
	return fmt.Sprintf("queue: batch of %d for %s: %v", len(e.Items), e.name, e.Err)
}

// Unwrap returns Err.
func (e *BatchError[T]) Unwrap() error { return e.Err }
