package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/queue"
)

// channel is the floor: a buffered channel with as many workers, and nothing else.
type channel struct {
	jobs    chan channelJob
	workers sync.WaitGroup
}

type channelJob struct {
	ctx  context.Context
	fn   eventbus.Func
	data eventbus.Data
}

func newChannel(workers, capacity int) *channel {
	c := &channel{jobs: make(chan channelJob, capacity)}
	for range workers {
		c.workers.Go(func() {
			for j := range c.jobs {
				_ = j.fn(j.ctx, j.data)
			}
		})
	}
	return c
}

func (c *channel) handler(fn eventbus.Func) eventbus.Func {
	return func(ctx context.Context, data eventbus.Data) error {
		c.jobs <- channelJob{ctx, fn, data}
		return nil
	}
}

func (c *channel) drain() { close(c.jobs); c.workers.Wait() }

// BenchmarkQueue measures an event from its acceptance until its handler is done.
func BenchmarkQueue(b *testing.B) {
	data := eventbus.MustData("user", "created", 1)
	workers := runtime.GOMAXPROCS(0)
	type lane struct {
		name  string
		start func(fn eventbus.Func) (accept eventbus.Func, drain func())
	}
	lanes := []lane{
		{"channel", func(fn eventbus.Func) (eventbus.Func, func()) {
			c := newChannel(workers, 1024)
			return c.handler(fn), c.drain
		}},
		{"queue", func(fn eventbus.Func) (eventbus.Func, func()) {
			q := queue.New(queue.Options{Workers: workers, Capacity: 1024})
			return q.Async(0)(eventbus.Handler{}, fn), func() { _ = q.Drain(context.Background()) }
		}},
		{"queue-3-priorities", func(fn eventbus.Func) (eventbus.Func, func()) {
			q := queue.New(queue.Options{Workers: workers, Capacity: 1024})
			var as [3]eventbus.Func
			for i := range as {
				as[i] = q.Async(i)(eventbus.Handler{}, fn)
			}
			n := 0
			return func(ctx context.Context, d eventbus.Data) error { n++; return as[n%3](ctx, d) }, func() { _ = q.Drain(context.Background()) }
		}},
	}
	for _, l := range lanes {
		b.Run("stream/"+l.name, func(b *testing.B) {
			accept, drain := l.start(func(context.Context, eventbus.Data) error { return nil })
			b.ReportAllocs()
			for b.Loop() {
				_ = accept(b.Context(), data)
			}
			drain()
		})
	}
	for _, l := range lanes[:2] {
		b.Run("producers/"+l.name, func(b *testing.B) {
			accept, drain := l.start(func(context.Context, eventbus.Data) error { return nil })
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = accept(context.Background(), data)
				}
			})
			drain()
		})
	}
	for _, l := range lanes[:2] {
		b.Run("one-by-one/"+l.name, func(b *testing.B) {
			done := make(chan struct{})
			accept, drain := l.start(func(context.Context, eventbus.Data) error { done <- struct{}{}; return nil })
			b.ReportAllocs()
			for b.Loop() {
				_ = accept(b.Context(), data)
				<-done
			}
			drain()
		})
	}
	_ = fmt.Sprint
}
