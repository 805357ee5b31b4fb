package bench

import (
	"context"
	"runtime"
	"sync"
	"testing"

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
// The lane "channel" is the floor, a buffered channel with as many workers.
// Watermill's gochannel is asked neither to persist nor to wait for an
// acknowledgement. It starts a goroutine for each message, has no capacity and
// refuses nothing.
func BenchmarkQueue(b *testing.B) {
	// A live heap as in a program that does more than this. With none the garbage
	// collector would run every few megabytes and be all that is measured.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)

	type request struct{}
	ctx, cancel := context.WithCancel(context.WithValue(b.Context(), request{}, 1))
	defer cancel()
	data := eventbus.MustData("user", "created", 1)

	lanes := []struct {
		name  string
		start func(eventbus.Func) (accept eventbus.Func, stop func())
	}{
		{"channel", startChannel},
		{"queue", startQueue(1)},
		{"queue-4-priorities", startQueue(4)},
		{"gochannel", startGochannel},
	}
	for _, l := range lanes {
		b.Run("stream/"+l.name, func(b *testing.B) {
			var done sync.WaitGroup
			accept, stop := l.start(func(context.Context, eventbus.Data) error { done.Done(); return nil })
			b.ReportAllocs()
			for b.Loop() {
				done.Add(1)
				if err := accept(ctx, data); err != nil {
					b.Fatal(err)
				}
			}
			done.Wait()
			stop()
		})
	}
	for _, l := range lanes {
		b.Run("producers/"+l.name, func(b *testing.B) {
			var done sync.WaitGroup
			accept, stop := l.start(func(context.Context, eventbus.Data) error { done.Done(); return nil })
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					done.Add(1)
					if err := accept(ctx, data); err != nil {
						b.Error(err)
						return
					}
				}
			})
			done.Wait()
			stop()
		})
	}
	for _, l := range lanes {
		b.Run("one-by-one/"+l.name, func(b *testing.B) {
			done := make(chan struct{})
			accept, stop := l.start(func(context.Context, eventbus.Data) error { done <- struct{}{}; return nil })
			b.ReportAllocs()
			for b.Loop() {
				if err := accept(ctx, data); err != nil {
					b.Fatal(err)
				}
				<-done
			}
			stop()
		})
	}
}

const queueCapacity = 1024

func startChannel(fn eventbus.Func) (eventbus.Func, func()) {
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
	return accept, func() { close(jobs); workers.Wait() }
}

func startQueue(priorities int) func(eventbus.Func) (eventbus.Func, func()) {
	return func(fn eventbus.Func) (eventbus.Func, func()) {
		q := queue.New(queue.Options{Capacity: queueCapacity})
		stop := func() { _ = q.Close(context.Background()) }
		if priorities == 1 {
			return q.Async(0)(eventbus.Handler{}, fn), stop
		}
		var by []eventbus.Func
		for p := range priorities {
			by = append(by, q.Async(p)(eventbus.Handler{}, fn))
		}
		var mu sync.Mutex
		n := 0
		return func(ctx context.Context, data eventbus.Data) error {
			mu.Lock()
			n++
			accept := by[n%len(by)]
			mu.Unlock()
			return accept(ctx, data)
		}, stop
	}
}

func startGochannel(fn eventbus.Func) (eventbus.Func, func()) {
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
	return accept, func() { _ = ps.Close(); workers.Wait() }
}
