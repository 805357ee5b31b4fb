package queue_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/queue"
)

func TestNewBatchRefusesNonsense(t *testing.T) {
	q := queue.New(queue.Options{})
	defer closeQueue(t, q)
	for name, construct := range map[string]func(){
		"no size":     func() { queue.NewBatch(q, 0, 0, func(context.Context, []int) error { return nil }) },
		"no function": func() { queue.NewBatch[int](q, 1, 0, nil) },
	} {
		func() {
			defer func() {
				if v := recover(); !strings.HasPrefix(fmt.Sprint(v), "queue: new batch ") {
					t.Errorf("%s: panic %v", name, v)
				}
			}()
			construct()
		}()
	}
}

func TestBatchBySizeAgeAndFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		start := time.Now()
		var got []string
		b := queue.NewBatch(q, 3, time.Minute, func(_ context.Context, items []int) error {
			got = append(got, fmt.Sprint(time.Since(start), items))
			return nil
		})
		add := func(items ...int) {
			for _, i := range items {
				if err := b.Add(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		flush := func() {
			if err := b.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
		flush() // nothing
		add(1, 2, 3, 4)
		time.Sleep(time.Second)
		add(5)
		time.Sleep(time.Hour) // a minute after the 4
		synctest.Wait()
		add(6)
		flush()
		flush()
		time.Sleep(time.Hour)
		add(7)
		closeQueue(t, q)
		want := []string{"0s [1 2 3]", "1m0s [4 5]", "1h0m1s [6]", "2h0m1s [7]"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if err := b.Add(t.Context(), 8); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("after close: %v", err)
		}
		// A full batch and one that is flushed cancel their timers.
		if s := q.Stats(); s != (queue.Stats{Accepted: 5, Done: 3, Canceled: 2}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestBatchWithoutAgeWaitsUntilItIsFullOrTheQueueDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{})
		var got []int
		b := queue.NewBatch(q, 10, 0, func(_ context.Context, items []int) error { got = items; return nil })
		if err := b.Add(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * 365 * time.Hour)
		synctest.Wait()
		if got != nil {
			t.Errorf("got %v early", got)
		}
		if err := q.Drain(t.Context()); err != nil || !slices.Equal(got, []int{1}) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestBatchIsAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type view struct{ Page string }
		var bus eventbus.Bus
		q := queue.New(queue.Options{Workers: 1})
		var views []view
		var events []string
		decoded := queue.NewBatch(q, 2, 0, func(ctx context.Context, items []view) error {
			views = append(views, items...)
			if ctx.Value(requestID{}) != nil {
				t.Error("the batch has the values of one of its callers")
			}
			return nil
		})
		whole := queue.NewBatch(q, 2, 0, func(_ context.Context, items []eventbus.Data) error {
			for _, d := range items {
				events = append(events, d.String()+string(d.RawParams))
			}
			return nil
		})
		eventbus.On(&bus, "page", "viewed", decoded.Add)
		bus.Register(eventbus.Any, eventbus.Any, whole.Add)
		ctx := context.WithValue(t.Context(), requestID{}, "r1")
		for _, page := range []string{"home", "cart"} {
			if err := bus.Call(ctx, eventbus.MustData("page", "viewed", view{page})); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !slices.Equal(views, []view{{"home"}, {"cart"}}) || !slices.Equal(events, []string{`page/viewed{"Page":"home"}`, `page/viewed{"Page":"cart"}`}) {
			t.Errorf("%v, %v", views, events)
		}
		closeQueue(t, q)
	})
}

func TestBatchErrorHoldsWhatWasLost(t *testing.T) {
	cause := errors.New("disk full")
	for name, c := range map[string]struct {
		end  func() error
		text string
	}{
		"error":  {func() error { return cause }, "disk full"},
		"panic":  {func() error { panic(cause) }, "panic: disk full"},
		"Goexit": {func() error { runtime.Goexit(); return nil }, "runtime.Goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []error
				q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, j queue.Job, err error) {
					told = append(told, err)
					if !strings.HasPrefix(j.Handler.Name, "queue_test.Test") {
						t.Errorf("job %+v", j)
					}
				}})
				b := queue.NewBatch(q, 2, time.Minute, func(context.Context, []string) error { return c.end() })
				check := func(err error, want ...string) {
					t.Helper()
					e, ok := errors.AsType[*queue.BatchError[string]](err)
					if !ok || !slices.Equal(e.Items, want) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "secret") {
						t.Errorf("%v, want one with %v", err, want)
					} else if name != "Goexit" && !errors.Is(err, cause) {
						t.Errorf("%v doesn't unwrap", err)
					}
				}
				for _, s := range []string{"secret 1", "secret 2", "secret 3"} {
					if err := b.Add(t.Context(), s); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(told) != 2 {
					t.Fatalf("told %v", told)
				}
				check(told[0], "secret 1", "secret 2")
				check(told[1], "secret 3")
				if name != "Goexit" { // would end the test
					_ = b.Add(t.Context(), "secret 4")
					check(b.Flush(t.Context()), "secret 4")
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestBatchThatIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped [][]int
		q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: queue.DropOldest, OnDrop: func(_ context.Context, _ queue.Job, err error) {
			e, ok := errors.AsType[*queue.BatchError[int]](err)
			if !ok || !errors.Is(err, queue.ErrFull) && !errors.Is(err, queue.ErrClosed) {
				t.Errorf("dropped with %v", err)
				return
			}
			dropped = append(dropped, e.Items)
		}})
		gate := make(chan struct{})
		handled := 0
		b := queue.NewBatch(q, 2, time.Minute, func(context.Context, []int) error { handled++; <-gate; return nil })
		for i := range 7 { // [0 1] runs, [2 3] makes room for [4 5], 6 is alone
			if err := b.Add(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.AfterFunc(time.Second, func() { close(gate) })
		err := q.Close(ctx)
		e, ok := errors.AsType[*queue.CloseError](err)
		if !ok || len(e.NotRun) != 2 || handled != 1 {
			t.Errorf("%d handled, %v", handled, err)
		}
		slices.SortFunc(dropped, slices.Compare)
		if fmt.Sprint(dropped) != "[[2 3] [4 5] [6]]" {
			t.Errorf("dropped %v", dropped)
		}
	})
}

func TestBatchRefusedByAFullQueueLosesOnlyTheItemItRefuses(t *testing.T) {
	for _, overflow := range []queue.Overflow{queue.Block, queue.Reject} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: overflow})
				release := block(t, q)
				if err := async(q, nothing)(t.Context(), event); err != nil {
					t.Fatal(err)
				}
				var got [][]int
				b := queue.NewBatch(q, 3, time.Hour, func(_ context.Context, items []int) error { got = append(got, items); return nil })
				for i := range 6 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					err := b.Add(ctx, i)
					cancel()
					if refused := errors.Is(err, queue.ErrFull) || errors.Is(err, context.DeadlineExceeded); refused != (i >= 2) {
						t.Errorf("add %d: %v", i, err)
					}
				}
				release()
				if err := b.Add(t.Context(), 6); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if fmt.Sprint(got) != "[[0 1 6]]" {
					t.Errorf("got %v", got)
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestBatchRefusedWhileTheNextCollectsRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1, Capacity: 1})
		release := block(t, q)
		if err := async(q, nothing)(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		later, err := q.After(t.Context(), time.Hour, nothing, event)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]int
		b := queue.NewBatch(q, 2, 0, func(_ context.Context, items []int) error { got = append(got, items); return nil })
		add := func(ctx context.Context, item int, want error) {
			if err := b.Add(ctx, item); !errors.Is(err, want) {
				t.Errorf("add %d: %v", item, err)
			}
		}
		add(t.Context(), 0, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go add(ctx, 1, context.Canceled)
		synctest.Wait()
		add(t.Context(), 2, nil)
		cancel()
		synctest.Wait()
		release()
		time.Sleep(time.Second)
		add(t.Context(), 3, nil)
		synctest.Wait()
		if fmt.Sprint(got) != "[[0] [2 3]]" {
			t.Errorf("got %v", got)
		}
		later.Stop()
		closeQueue(t, q)
	})
}

// Its age may come while whoever filled a batch waits for room.
func TestBatchThatComesOfAgeWhileItsLastItemWaits(t *testing.T) {
	for _, gaveUp := range []bool{true, false} {
		t.Run(fmt.Sprint(gaveUp), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dropped []error
				q := queue.New(queue.Options{Workers: 2, Capacity: 1, OnDrop: func(_ context.Context, _ queue.Job, err error) { dropped = append(dropped, err) }})
				first, second := block(t, q), block(t, q)
				third := make(chan struct{})
				if err := async(q, func(context.Context, eventbus.Data) error { <-third; return nil })(t.Context(), event); err != nil {
					t.Fatal(err)
				}
				var got [][]int
				gate := make(chan struct{})
				b := queue.NewBatch(q, 2, time.Minute, func(_ context.Context, items []int) error { got = append(got, items); <-gate; return nil })
				if err := b.Add(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				added := make(chan error, 1)
				go func() { added <- b.Add(ctx, 1) }()
				time.Sleep(time.Minute)
				first() // this worker takes the batch, which is due
				if gaveUp {
					cancel()
				} else {
					second() // this one the job, which makes room
				}
				if err := <-added; err != nil {
					t.Errorf("the item is handled, and Add says %v", err)
				}
				cancel()
				time.AfterFunc(time.Second, func() { close(gate); close(third) })
				if gaveUp {
					second()
				}
				_ = q.Close(ctx)
				if fmt.Sprint(got) != "[[0 1]]" {
					t.Errorf("got %v", got)
				}
				for _, err := range dropped {
					if _, ok := errors.AsType[*queue.BatchError[int]](err); ok {
						t.Errorf("told of the loss of nothing: %v", err)
					}
				}
			})
		})
	}
}

// FuzzBatch checks that each item ends in exactly one place: handed over, in an
// error, or refused; and that no batch is too large or too old.
func FuzzBatch(f *testing.F) {
	for overflow := range byte(3) {
		f.Add([]byte{overflow, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 3, 0, 0})
		f.Add([]byte{overflow, 1, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 2, 1, 1, 0, 0, 0, 0, 5})
		f.Add([]byte{overflow, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 2, 2, 2, 1, 1, 1})
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 4 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			const age = 3 * time.Second
			var mu sync.Mutex
			var where []string // of each item
			put := func(items []int, place string) {
				mu.Lock()
				defer mu.Unlock()
				for _, i := range items {
					if where[i] != "" {
						t.Errorf("item %d is %s and %s", i, where[i], place)
					}
					where[i] = place
				}
			}
			lost := func(_ context.Context, _ queue.Job, err error) {
				e, ok := errors.AsType[*queue.BatchError[int]](err)
				if !ok || len(e.Items) == 0 {
					t.Errorf("told of %v", err)
					return
				}
				put(e.Items, "lost")
			}
			size := int(ops[3]%4) + 1
			q := queue.New(queue.Options{Overflow: queue.Overflow(ops[0] % 3), Workers: int(ops[1]%3) + 1, Capacity: int(ops[2]%3) + 1, OnError: lost, OnDrop: lost})
			gate := make(chan error)
			release := func(err error) bool {
				select {
				case gate <- err:
					return true
				default:
					return false
				}
			}
			b := queue.NewBatch(q, size, age, func(_ context.Context, items []int) error {
				if len(items) == 0 || len(items) > size {
					t.Errorf("a batch of %d, size %d", len(items), size)
				}
				if err := <-gate; err != nil {
					return err
				}
				put(items, "handled")
				return nil
			})
			var cancels []context.CancelFunc
			var calls sync.WaitGroup
			for _, op := range ops[4:] {
				switch op % 6 {
				case 0, 1:
					mu.Lock()
					i := len(where)
					where = append(where, "")
					mu.Unlock()
					ctx, cancel := context.WithCancel(t.Context())
					cancels = append(cancels, cancel)
					calls.Go(func() {
						if err := b.Add(ctx, i); err != nil {
							put([]int{i}, "refused")
						}
					})
				case 2:
					release(nil)
				case 3:
					release(errors.New("failed"))
				case 4:
					time.Sleep(time.Second)
				case 5:
					if op/6%2 == 0 {
						for _, cancel := range cancels {
							cancel()
						}
					} else {
						calls.Go(func() {
							if err := b.Flush(t.Context()); err != nil {
								lost(t.Context(), queue.Job{}, err)
							}
						})
					}
				}
				synctest.Wait()
			}
			for _, cancel := range cancels {
				cancel()
			}
			closed := make(chan struct{})
			go func() {
				ctx, cancel := context.WithCancel(t.Context())
				if len(ops)%2 == 0 {
					cancel()
				}
				defer cancel()
				_ = q.Close(ctx)
				calls.Wait()
				_ = b.Flush(t.Context()) // finds nothing
				close(closed)
			}()
			for {
				synctest.Wait()
				if !release(nil) {
					break
				}
			}
			<-closed
			for i, place := range where {
				if place == "" {
					t.Errorf("item %d of %d vanished", i, len(where))
				}
			}
			if s := q.Stats(); s.Accepted != s.Done+s.Failed+s.Dropped+s.Canceled || s.Waiting+s.Scheduled+s.Running != 0 {
				t.Errorf("%+v", s)
			}
		})
	})
}
