package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/queue"
)

// The tests of this file are named after what buses of this kind are known to get
// wrong.

func TestAnAcceptedEventIsNeverHandledOrTwice(t *testing.T) {
	const producers, each = 2, 3000
	var handled [producers * each]atomic.Int32
	q := queue.New(queue.Options{Workers: 2, Capacity: 1})
	handle := async(q, func(_ context.Context, d eventbus.Data) error {
		n, err := eventbus.Decode[int](d)
		if err == nil {
			handled[n].Add(1)
		}
		return err
	})
	var want [producers * each]int32
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				n := p*each + i
				ctx, cancel := context.WithCancel(t.Context())
				if i%3 == 0 {
					go cancel() // at any time while the producer waits, or after
				}
				err := handle(ctx, eventbus.MustData("n", "counted", n))
				cancel()
				if err == nil {
					want[n] = 1
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("event %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range handled {
		if got := handled[n].Load(); got != want[n] {
			t.Fatalf("event %d was accepted %d times and handled %d times", n, want[n], got)
		}
	}
}

func TestAHandlerThatPublishesToItsOwnQueue(t *testing.T) {
	for _, overflow := range []queue.Overflow{queue.Block, queue.Reject, queue.DropOldest} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const workers, children = 3, 5
				var bus eventbus.Bus
				var handled sync.Map
				var dropped, refused atomic.Int32
				q := queue.New(queue.Options{
					Workers: workers, Capacity: 1, Overflow: overflow,
					OnError: func(_ context.Context, _ queue.Job, err error) { t.Error(err) },
					OnDrop:  func(context.Context, queue.Job, error) { dropped.Add(1) },
				})
				bus.Register("tree", "leaf", func(_ context.Context, d eventbus.Data) error {
					if _, twice := handled.LoadOrStore(string(d.RawParams), true); twice {
						t.Errorf("leaf %s is handled twice", d.RawParams)
					}
					return nil
				})
				var together sync.WaitGroup // all workers publish at once
				together.Add(workers)
				bus.Register("tree", "branch", func(ctx context.Context, d eventbus.Data) error {
					together.Done()
					together.Wait()
					for i := range children {
						leaf := eventbus.MustData("tree", "leaf", string(d.RawParams)+strconv.Itoa(i))
						if err := q.Publish(ctx, &bus, leaf); errors.Is(err, queue.ErrFull) {
							refused.Add(1)
						} else if err != nil {
							return err
						}
					}
					return nil
				})
				for i := range workers {
					if err := q.Publish(t.Context(), &bus, eventbus.MustData("tree", "branch", i)); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				synctest.Wait()
				n := 0
				for range handled.Range {
					n++
				}
				if lost := int(dropped.Load() + refused.Load()); n+lost != workers*children || overflow == queue.Block && lost > 0 {
					t.Errorf("%d leaves handled, %d dropped, %d refused, want %d in all", n, dropped.Load(), refused.Load(), workers*children)
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestAHandlerThatPublishesToItsOwnQueueWithAnotherContextWaitsForThatContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1, Capacity: 1})
		defer closeQueue(t, q)
		start := time.Now()
		var err error
		handle := async(q, func(context.Context, eventbus.Data) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			leaf := async(q, func(context.Context, eventbus.Data) error { return nil })
			_ = leaf(ctx, event)
			err = leaf(ctx, event)
			return nil
		})
		if err := handle(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || q.Stats().Done != 2 {
			t.Errorf("after %v: error %v, counts %+v", time.Since(start), err, q.Stats())
		}
	})
}

func TestPublishingAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, overflow := range []queue.Overflow{queue.Block, queue.DropOldest, queue.Reject} {
			q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: overflow})
			closeQueue(t, q)
			_, errAt := q.At(t.Context(), time.Now(), nothing, event)
			_, errAfter := q.After(t.Context(), time.Hour, nothing, event)
			for what, err := range map[string]error{
				"Async":   async(q, nothing)(t.Context(), event),
				"Publish": q.Publish(t.Context(), &eventbus.Bus{}, event),
				"Call":    q.Call(t.Context(), &eventbus.Bus{}, event),
				"At":      errAt,
				"After":   errAfter,
				"Add":     queue.NewBatch(q, 1, 0, func(context.Context, []int) error { return nil }).Add(t.Context(), 1),
			} {
				if !errors.Is(err, queue.ErrClosed) {
					t.Errorf("%s: %v, want ErrClosed", what, err)
				}
			}
			if s := q.Stats(); s != (queue.Stats{}) {
				t.Errorf("refused, but counted: %+v", s)
			}
		}
	})
}

func TestClosingWakesProducersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1, Capacity: 1})
		gate := make(chan struct{})
		handle := async(q, func(context.Context, eventbus.Data) error { <-gate; return nil })
		var refused atomic.Int32
		for range 5 {
			go func() {
				if err := handle(t.Context(), event); errors.Is(err, queue.ErrClosed) {
					refused.Add(1)
				}
			}()
			synctest.Wait()
		}
		go func() { _ = q.Drain(t.Context()) }()
		synctest.Wait()
		if refused.Load() != 3 {
			t.Errorf("%d of 3 that wait are refused", refused.Load())
		}
		close(gate)
		synctest.Wait()
		if s := q.Stats(); s.Done != 2 {
			t.Errorf("%+v, want 2 done", s)
		}
	})
}

func TestShutdownThatDiscardsWhatWasAccepted(t *testing.T) {
	for name, end := range map[string]func(*queue.Queue, context.Context) error{"Drain": (*queue.Queue).Drain, "Close": (*queue.Queue).Close} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := queue.New(queue.Options{Workers: 2})
				var handled atomic.Int32
				handle := async(q, func(ctx context.Context, _ eventbus.Data) error {
					time.Sleep(time.Second)
					handled.Add(1)
					return ctx.Err()
				})
				for range 100 {
					if err := handle(t.Context(), event); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(q, t.Context()); err != nil || handled.Load() != 100 {
					t.Errorf("%d of 100 handled, %v", handled.Load(), err)
				}
				if s := q.Stats(); s != (queue.Stats{Accepted: 100, Done: 100}) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestAPanicThatEndsAWorkerForGood(t *testing.T) {
	testEndsNoWorker(t, func() error { panic("out of paper") })
}

func TestAGoexitThatEndsAWorkerForGood(t *testing.T) {
	testEndsNoWorker(t, func() error { (&testing.T{}).SkipNow(); return nil })
}

// testEndsNoWorker has all workers end badly many times, and then all at work.
func testEndsNoWorker(t *testing.T, end func() error) {
	synctest.Test(t, func(t *testing.T) {
		const workers, times = 3, 50
		var told atomic.Int32
		q := queue.New(queue.Options{Workers: workers, OnError: func(_ context.Context, j queue.Job, err error) {
			told.Add(1)
			if e, ok := errors.AsType[*eventbus.HandlerError](err); !ok || e.Handler != j.Handler || e.Domain != "user" || e.Err == nil {
				t.Errorf("%v of %+v", err, j)
			}
		}})
		bad := async(q, func(context.Context, eventbus.Data) error { return end() })
		for range times {
			if err := bad(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if s := q.Stats(); s != (queue.Stats{Accepted: times, Failed: times}) || told.Load() != times {
			t.Errorf("%+v, told of %d", s, told.Load())
		}
		gate := make(chan struct{})
		for range workers {
			_ = async(q, func(context.Context, eventbus.Data) error { <-gate; return nil })(t.Context(), event)
		}
		synctest.Wait()
		if n := q.Stats().Running; n != workers {
			t.Errorf("%d of %d workers are left", n, workers)
		}
		close(gate)
		closeQueue(t, q)
	})
}

func TestIdleWorkersThatBurnCPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 8})
		defer closeQueue(t, q)
		if _, err := q.After(t.Context(), 2*time.Hour, nothing, event); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		// Who looks at the queue every millisecond runs 3,600,000 times.
		before := goroutineStarts()
		time.Sleep(time.Hour)
		if n := goroutineStarts() - before; n > 10_000 {
			t.Errorf("goroutines were woken about %d times in an idle hour", n)
		}
		time.Sleep(time.Hour)
	})
}

// goroutineStarts returns how often goroutines of this process got to run, as the
// runtime samples it.
func goroutineStarts() (n uint64) {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	for _, c := range s[0].Value.Float64Histogram().Counts {
		n += c
	}
	return n
}

func TestATimerDrivenConsumerThatAddsAMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		defer closeQueue(t, q)
		start := time.Now() // this clock moves only when everybody waits
		for range 1000 {
			done := make(chan struct{})
			if err := async(q, func(context.Context, eventbus.Data) error { close(done); return nil })(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			<-done
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("1,000 events took %v on an idle queue, want none", d)
		}
	})
}

func TestARecoveryThatTurnsAPanicIntoSuccess(t *testing.T) {
	cause := errors.New("no such template")
	var bus eventbus.Bus
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { panic(cause) })
	for name, submit := range map[string]func(q *queue.Queue) error{
		"Async": func(q *queue.Queue) error {
			return async(q, func(context.Context, eventbus.Data) error { panic(cause) })(t.Context(), event)
		},
		"Publish": func(q *queue.Queue) error { return q.Publish(t.Context(), &bus, event) },
		"Call":    func(q *queue.Queue) error { return q.Call(t.Context(), &bus, event) },
		"After": func(q *queue.Queue) error {
			_, err := q.After(t.Context(), 0, func(context.Context, eventbus.Data) error { panic(cause) }, event)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []error
				q := queue.New(queue.Options{OnError: func(_ context.Context, _ queue.Job, err error) { told = append(told, err) }})
				if err := submit(q); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if s := q.Stats(); s != (queue.Stats{Accepted: 1, Failed: 1}) || len(told) != 1 {
					t.Fatalf("%+v, told %v", s, told)
				}
				p, ok := errors.AsType[*eventbus.PanicError](told[0])
				if !ok || !errors.Is(told[0], cause) || !bytes.Contains(p.Stack, []byte("TestARecovery")) {
					t.Errorf("told %v", told[0])
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestATimeoutThatLeavesTheHandlerRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, _ queue.Job, err error) { told = append(told, err) }})
		running := false
		err := async(q, func(ctx context.Context, _ eventbus.Data) error {
			running = true
			defer func() { running = false }()
			<-ctx.Done()
			time.Sleep(time.Second) // cleaning up
			panic("after the deadline")
		})(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = q.Close(ctx)
		if e, ok := errors.AsType[*queue.CloseError](err); running || !ok || e.Interrupted != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("running: %t, %v", running, err)
		}
		if len(told) != 1 || !strings.Contains(told[0].Error(), "after the deadline") {
			t.Errorf("told %v", told)
		}
	})
}

func TestALogLineThatGrowsWithEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		previous := slog.Default()
		defer slog.SetDefault(previous)
		slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))

		q := queue.New(queue.Options{Workers: 1})
		var bus eventbus.Bus
		left := 100
		bus.Register("user", "created", func(ctx context.Context, d eventbus.Data) error {
			if left--; left > 0 {
				_ = q.Publish(ctx, &bus, d)
			}
			return errors.New("smtp is down")
		})
		if err := q.Publish(t.Context(), &bus, eventbus.MustData("user", "created", "secret")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		closeQueue(t, q)
		lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
		if len(lines) != 100 || strings.Contains(logged.String(), "secret") {
			t.Fatalf("%d lines: %.500s", len(lines), logged.String())
		}
		for _, want := range []string{"level=ERROR", "domain=user", "action=created", "handler=", "smtp is down"} {
			if !strings.Contains(lines[0], want) {
				t.Errorf("%s has no %s", lines[0], want)
			}
		}
		if i := slices.IndexFunc(lines, func(l string) bool { return len(l) != len(lines[0]) }); i >= 0 {
			t.Errorf("line %d:\n%s\nline 0:\n%s", i, lines[i], lines[0])
		}
	})
}
