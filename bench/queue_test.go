package main

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"example.com/eventbus"
	"example.com/eventbus/queue"
)

// BenchmarkQueue measures an event from its acceptance until its handler is done,
// off the producer's goroutine:
//
//   - stream: one producer, as fast as it can;
//   - producers: as many of them as processors;
//   - one-by-one: the next event follows when the last one is done.
//
// The floor is a buffered channel with as many workers. It takes turns with the
// contestant, and x-floor is the median of the ratios. Watermill's gochannel
// neither persists nor waits for an acknowledgement; it starts a goroutine for
// each message and refuses none.
func BenchmarkQueue(b *testing.B) {
	// A live heap, as programs have that do more than this. With none, the garbage
	// collector runs every few megabytes and is all that is measured.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)

	type request struct{}
	ctx, cancel := context.WithCancel(context.WithValue(b.Context(), request{}, 1))
	defer cancel()
	data := eventbus.MustData("user", "created", 1)

	send := func(accept []eventbus.Func, n int) {
		for i := range n {
			if err := accept[i%len(accept)](ctx, data); err != nil {
				panic(err)
			}
		}
	}
	lanes := []struct {
		name string
		run  func(start starter) (events func(n int), stop func())
	}{
		{"stream", func(start starter) (func(int), func()) {
			var done sync.WaitGroup
			accept, stop := start(func(context.Context, eventbus.Data) error { done.Done(); return nil })
			return func(n int) {
				done.Add(n)
				send(accept, n)
				done.Wait()
			}, stop
		}},
		{"producers", func(start starter) (func(int), func()) {
			var done sync.WaitGroup
			accept, stop := start(func(context.Context, eventbus.Data) error { done.Done(); return nil })
			return func(n int) {
				producers := runtime.GOMAXPROCS(0)
				done.Add(n)
				for p := range producers {
					go send(accept, (n+p)/producers)
				}
				done.Wait()
			}, stop
		}},
		{"one-by-one", func(start starter) (func(int), func()) {
			done := make(chan struct{})
			accept, stop := start(func(context.Context, eventbus.Data) error { done <- struct{}{}; return nil })
			return func(n int) {
				for range n {
					send(accept, 1)
					<-done
				}
			}, stop
		}},
	}
	contestants := []struct {
		name  string
		start starter
	}{
		{"queue", startQueue(1)},
		{"queue-4-priorities", startQueue(4)},
		{"gochannel", startGochannel},
	}
	for _, l := range lanes {
		for _, c := range contestants {
			b.Run(l.name+"/"+c.name, func(b *testing.B) {
				floor, stopFloor := l.run(startChannel)
				defer stopFloor()
				contestant, stop := l.run(c.start)
				defer stop()
				timed := func(events func(int), n int) time.Duration {
					start := time.Now()
					events(n)
					return time.Since(start)
				}
				b.ReportAllocs()
				var ratios []float64
				var total time.Duration
				for left := b.N; left > 0; {
					n := min(left, 20_000)
					left -= n
					b.StopTimer()
					f := timed(floor, n)
					b.StartTimer()
					t := timed(contestant, n)
					ratios, total = append(ratios, float64(t)/float64(f)), total+f
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "x-floor")
				b.ReportMetric(float64(total)/float64(b.N), "floor-ns/op")
			})
		}
	}
}

// starter returns what hands over events to fn, to be called in turn, and what ends
// it.
type starter func(fn eventbus.Func) (accept []eventbus.Func, stop func())

const queueCapacity = 1024

func startChannel(fn eventbus.Func) ([]eventbus.Func, func()) {
	type job struct {
		ctx  context.Context
		fn   eventbus.Func
		data eventbus.Data
	}
	jobs := make(chan job, queueCapacity)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				_ = j.fn(j.ctx, j.data)
			}
		})
	}
	accept := func(ctx context.Context, data eventbus.Data) error {
		jobs <- job{ctx, fn, data}
		return nil
	}
	return []eventbus.Func{accept}, func() { close(jobs); workers.Wait() }
}

func startQueue(priorities int) starter {
	return func(fn eventbus.Func) (accept []eventbus.Func, stop func()) {
		q := queue.New(queue.Options{Capacity: queueCapacity})
		for p := range priorities {
			accept = append(accept, q.Async(p)(eventbus.Handler{}, fn))
		}
		return accept, func() { _ = q.Close(context.Background()) }
	}
}

func startGochannel(fn eventbus.Func) ([]eventbus.Func, func()) {
	ps := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: queueCapacity}, watermill.NopLogger{})
	in, err := ps.Subscribe(context.Background(), "user/created")
	if err != nil {
		panic(err)
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for m := range in {
				_ = fn(m.Context(), eventbus.Data{Domain: "user", Action: "created", RawParams: m.Payload})
				m.Ack()
			}
		})
	}
	accept := func(_ context.Context, data eventbus.Data) error {
		return ps.Publish("user/created", message.NewMessage(watermill.NewUUID(), message.Payload(data.RawParams)))
	}
	return []eventbus.Func{accept}, func() { _ = ps.Close(); workers.Wait() }
}
