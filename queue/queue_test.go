package queue_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"example.com/eventbus"
	"example.com/eventbus/queue"
	"example.com/eventbus/txn"
)

var event = eventbus.MustData("user", "created", "secret")

func nothing(context.Context, eventbus.Data) error { return nil }

func async(q *queue.Queue, fn eventbus.Func) eventbus.Func {
	return q.Async(0)(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"}, fn)
}

func closeQueue(t *testing.T, q *queue.Queue) {
	t.Helper()
	if err := q.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// block occupies a worker until the returned function is called.
func block(t *testing.T, q *queue.Queue) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	if err := async(q, func(context.Context, eventbus.Data) error { <-gate; return nil })(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return func() { close(gate); synctest.Wait() }
}

// recorder notes the actions of the events it handles.
type recorder []string

func (r *recorder) handle(_ context.Context, d eventbus.Data) error {
	*r = append(*r, d.Action)
	return nil
}

func TestNewRefusesNonsense(t *testing.T) {
	for _, o := range []queue.Options{{Workers: -1}, {Capacity: -1}, {Overflow: -1}, {Overflow: 3}} {
		func() {
			defer func() {
				if v := recover(); !strings.HasPrefix(fmt.Sprint(v), "queue: new ") {
					t.Errorf("%+v: panic %v", o, v)
				}
			}()
			queue.New(o)
		}()
	}
}

func TestZeroOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{})
		var releases []func()
		for range runtime.GOMAXPROCS(0) {
			releases = append(releases, block(t, q))
		}
		for range 1024 {
			if err := async(q, nothing)(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := async(q, nothing)(ctx, event); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the 1,025th that waits: %v", err)
		}
		for _, release := range releases {
			release()
		}
		closeQueue(t, q)
	})
}

func TestMiddlewareBeforeAsyncWrapsTheHandOverAfterItTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		note := func(name string) eventbus.Middleware {
			return func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
				return func(ctx context.Context, d eventbus.Data) error {
					log = append(log, name+" in")
					err := next(ctx, d)
					log = append(log, fmt.Sprint(name, " out: ", err))
					return err
				}
			}
		}
		var told error
		q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, _ queue.Job, err error) { told = err }})
		release := block(t, q)
		bus := eventbus.New(nil, note("bus"))
		bus.Register("user", "created", func(context.Context, eventbus.Data) error {
			log = append(log, "handler")
			return errors.New("smtp is down")
		}, note("before"), q.Async(0), note("after"))
		if err := bus.Call(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		log = append(log, "caller goes on")
		release()
		want := []string{"bus in", "before in", "before out: <nil>", "bus out: <nil>", "caller goes on", "after in", "handler", "after out: smtp is down"}
		if !slices.Equal(log, want) {
			t.Errorf("got  %q\nwant %q", log, want)
		}
		if told == nil || !strings.HasPrefix(told.Error(), "user/created: handler queue_test.Test") || !strings.HasSuffix(told.Error(), "smtp is down") {
			t.Errorf("told %v", told)
		}
		closeQueue(t, q)
	})
}

func TestPublishRunsAllHandlersCallStopsAtTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus eventbus.Bus
		var ran []int
		for i := range 2 {
			bus.Register("user", "created", func(context.Context, eventbus.Data) error {
				ran = append(ran, i)
				return fmt.Errorf("failure %d", i)
			})
		}
		var told []error
		var jobs []queue.Job
		q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, j queue.Job, err error) {
			told, jobs = append(told, err), append(jobs, j)
		}})
		if err := errors.Join(q.Publish(t.Context(), &bus, event), q.Call(t.Context(), &bus, event)); err != nil {
			t.Fatal(err)
		}
		closeQueue(t, q)
		if !slices.Equal(ran, []int{0, 1, 0}) {
			t.Errorf("ran %v", ran)
		}
		if len(told) != 2 || told[0].Error() != bus.Publish(t.Context(), event).Error() || told[1].Error() != bus.Call(t.Context(), event).Error() {
			t.Errorf("told %v, want what Publish and Call return", told)
		}
		if jobs[0].Handler.Name != "Publish" || jobs[1].Handler.Name != "Call" || string(jobs[0].Data.RawParams) != `"secret"` {
			t.Errorf("jobs %v", jobs)
		}
	})
}

type requestID struct{}

func TestHandlersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), requestID{}, "r1"), time.Second)
		release := block(t, q)
		handled := make(chan context.Context, 1)
		var txErr error
		err := txn.RunScope(ctx, "db", func(context.Context) (scope, error) { return scope{}, nil }, nil, func(ctx context.Context) error {
			if _, err := txn.From[scope](ctx); err != nil {
				t.Errorf("outside: %v", err)
			}
			return async(q, func(ctx context.Context, _ eventbus.Data) error {
				handled <- ctx
				_, txErr = txn.From[scope](ctx)
				if err := ctx.Err(); err != nil {
					t.Errorf("the handler's context has ended: %v", err)
				}
				return nil
			})(ctx, event)
		})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		release()
		inside := <-handled
		if id := inside.Value(requestID{}); id != "r1" {
			t.Errorf("request id: %v", id)
		}
		if _, ok := inside.Deadline(); ok {
			t.Error("has a deadline")
		}
		if !errors.Is(txErr, txn.ErrNoTx) {
			t.Errorf("transaction: %v", txErr)
		}
		if s := fmt.Sprintf("%v %+v", inside, inside); strings.Contains(s, "secret") || strings.Contains(s, "115 101 99") {
			t.Errorf("printed: %s", s)
		}
		closeQueue(t, q)
		if context.Cause(inside) != queue.ErrClosed || inside.Err() != context.Canceled {
			t.Errorf("after Close: %v, cause %v", inside.Err(), context.Cause(inside))
		}
	})
}

type scope struct{}

func (scope) Commit(context.Context) error   { return nil }
func (scope) Rollback(context.Context) error { return nil }

func TestAfterCommitThenAsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus eventbus.Bus
		var ran recorder
		q := queue.New(queue.Options{Workers: 1})
		bus.Register("order", eventbus.Any, ran.handle, txn.AfterCommit(), q.Async(0))
		for _, c := range []struct {
			action string
			err    error
		}{{"committed", nil}, {"rolled back", errors.New("out of stock")}} {
			err := txn.RunScope(t.Context(), "db", func(context.Context) (scope, error) { return scope{}, nil }, nil, func(ctx context.Context) error {
				if err := bus.Call(ctx, eventbus.Data{Domain: "order", Action: c.action}); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if slices.Contains(ran, c.action) {
					t.Errorf("%s: ran within the transaction", c.action)
				}
				return c.err
			})
			if !errors.Is(err, c.err) {
				t.Error(err)
			}
		}
		closeQueue(t, q)
		if !slices.Equal(ran, recorder{"committed"}) {
			t.Errorf("ran %v", ran)
		}
	})
}

func TestContextsMadeFromTheHandlersEndWithItAndCostNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var cause error
		err := async(q, func(ctx context.Context, _ eventbus.Data) error {
			before := runtime.NumGoroutine()
			var children []context.Context
			for range 100 {
				child, cancel := context.WithCancel(ctx)
				defer cancel()
				children = append(children, child)
			}
			if n := runtime.NumGoroutine() - before; n > 50 {
				t.Errorf("100 contexts take %d goroutines", n)
			}
			for _, child := range children {
				<-child.Done()
				cause = context.Cause(child)
			}
			return nil
		})(ctx, event)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if cause != nil {
			t.Fatalf("ended with its caller: %v", cause)
		}
		if err := q.Close(ctx); err == nil {
			t.Error("Close says nothing of the handler it interrupted")
		}
		if cause != queue.ErrClosed {
			t.Errorf("cause %v", cause)
		}
	})
}

func TestJobsThatStartTheNextMakeNoChainOfContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := queue.New(queue.Options{Workers: 1}), queue.New(queue.Options{Workers: 1})
		caller := &countingContext{Context: t.Context()}
		left := 1000
		var handle eventbus.Func
		handle = func(ctx context.Context, d eventbus.Data) error {
			if left--; left == 0 {
				caller.asked = 0
				ctx.Value(requestID{})
				return nil
			}
			if left%2 == 0 {
				_, err := q.After(ctx, time.Second, handle, d)
				return err
			}
			return async(p, handle)(ctx, d)
		}
		if err := async(q, handle)(caller, event); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if left != 0 || caller.asked == 0 || caller.asked > 3 {
			t.Errorf("%d jobs left, the first context was asked %d times for one value", left, caller.asked)
		}
		closeQueue(t, p)
		closeQueue(t, q)
	})
}

func TestALongChainOfContextsIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, _ queue.Job, err error) { t.Error(err) }})
		caller := &countingContext{Context: context.WithValue(t.Context(), requestID{}, "r1")}
		left := 100
		var handle eventbus.Func
		handle = func(ctx context.Context, d eventbus.Data) error {
			if left--; left > 0 {
				return async(q, handle)(context.WithValue(ctx, &left, left), d)
			}
			if id := ctx.Value(requestID{}); id != "r1" {
				t.Errorf("request id: %v", id)
			}
			return nil
		}
		if err := async(q, handle)(caller, event); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if left != 0 {
			t.Errorf("%d jobs left", left)
		}
		closeQueue(t, q)
	})
}

type countingContext struct {
	context.Context
	asked int
}

func (c *countingContext) Value(key any) any {
	if c.asked++; c.asked > 10_000 {
		panic("asked over and over")
	}
	return c.Context.Value(key)
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		q := queue.New(queue.Options{Workers: 1})
		release := block(t, q) // the first take
		for i := range 4 {
			for p := range 3 {
				name := fmt.Sprintf("p%d.%d", p, i)
				if err := q.Async(p)(eventbus.Handler{}, ran.handle)(t.Context(), eventbus.Data{Domain: "d", Action: name}); err != nil {
					t.Fatal(err)
				}
			}
		}
		release()
		want := recorder{"p2.0", "p2.1", "p2.2", "p2.3", "p1.0", "p1.1", "p0.0", "p1.2", "p1.3", "p0.1", "p0.2", "p0.3"}
		want[6] = "p0.0" // the 8th take: the oldest
		if !slices.Equal(ran, want) {
			t.Errorf("ran  %v\nwant %v", ran, want)
		}
		closeQueue(t, q)
	})
}

func TestLowPriorityIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		urgent, low := 0, -1
		var flood eventbus.Func
		flood = q.Async(9)(eventbus.Handler{}, func(ctx context.Context, d eventbus.Data) error {
			if urgent++; low >= 0 {
				return nil
			}
			return errors.Join(flood(ctx, d), flood(ctx, d))
		})
		release := block(t, q)
		_ = q.Async(-1)(eventbus.Handler{}, func(context.Context, eventbus.Data) error { low = urgent; return nil })(t.Context(), event)
		_ = flood(t.Context(), event)
		release()
		if low < 0 || low > 8 {
			t.Errorf("low priority ran after %d urgent jobs", low)
		}
		closeQueue(t, q)
	})
}

func TestOverflow(t *testing.T) {
	for _, c := range []struct {
		overflow queue.Overflow
		err      error
		ran      recorder
		dropped  []string
	}{
		{queue.Block, context.DeadlineExceeded, recorder{"b", "a"}, nil},
		{queue.Reject, queue.ErrFull, recorder{"b", "a"}, nil},
		{queue.DropOldest, nil, recorder{"b", "c"}, []string{"a"}},
	} {
		t.Run(fmt.Sprint(c.overflow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran recorder
				var dropped []string
				q := queue.New(queue.Options{Workers: 1, Capacity: 2, Overflow: c.overflow, OnDrop: func(_ context.Context, j queue.Job, err error) {
					dropped = append(dropped, j.Data.Action)
					if e, ok := errors.AsType[*eventbus.HandlerError](err); !ok || e.Handler != j.Handler || !errors.Is(err, queue.ErrFull) {
						t.Errorf("dropped with %v", err)
					}
				}})
				release := block(t, q)
				submit := func(priority int, action string) error {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					return q.Async(priority)(eventbus.Handler{Name: "note"}, ran.handle)(ctx, eventbus.Data{Domain: "d", Action: action})
				}
				if err := errors.Join(submit(0, "a"), submit(1, "b")); err != nil {
					t.Fatal(err)
				}
				err := submit(0, "c")
				if !errors.Is(err, c.err) || err != nil && !strings.HasPrefix(err.Error(), "queue: accept d/c for note: ") {
					t.Errorf("the third: %v, want %v", err, c.err)
				}
				release()
				if !slices.Equal(ran, c.ran) || !slices.Equal(dropped, c.dropped) {
					t.Errorf("ran %v, dropped %v, want %v, %v", ran, dropped, c.ran, c.dropped)
				}
				if s := q.Stats(); int(s.Dropped) != len(c.dropped) || s.Done != 3 || s.Accepted != s.Done+s.Dropped {
					t.Errorf("%+v", s)
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestBlockAcceptsWithoutWaitingEvenIfTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			if err := async(q, nothing)(ctx, event); err != nil {
				t.Fatal(err)
			}
		}
		closeQueue(t, q)
	})
}

func TestHooksThatPanicOrExitCostNothing(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				previous := slog.Default()
				defer slog.SetDefault(previous)
				slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
				hook := func(context.Context, queue.Job, error) { end() }
				q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: queue.DropOldest, OnError: hook, OnDrop: hook})
				fail := async(q, func(context.Context, eventbus.Data) error { return errors.New("failed") })
				for range 5 {
					_ = fail(t.Context(), event)
					synctest.Wait()
				}
				if s := q.Stats(); s != (queue.Stats{Accepted: 5, Failed: 5}) {
					t.Errorf("%+v", s)
				}
				if name == "panic" {
					release := block(t, q)
					if err := errors.Join(fail(t.Context(), event), fail(t.Context(), event)); err != nil {
						t.Errorf("the producer is told of the hook: %v", err)
					}
					release()
					if n := strings.Count(logged.String(), "hook panicked"); n != 7 {
						t.Errorf("%d of 7 logged: %s", n, logged.String())
					}
				}
				closeQueue(t, q)
			})
		})
	}
}

func TestDefaultHookLogsWhatIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		previous := slog.Default()
		defer slog.SetDefault(previous)
		slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
		q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: queue.DropOldest})
		release := block(t, q)
		_, _ = async(q, nothing)(t.Context(), event), async(q, nothing)(t.Context(), event)
		for _, want := range []string{"level=WARN", `msg="queue: job dropped"`, "domain=user action=created handler=mail.Welcome", "the queue is full"} {
			if s := logged.String(); !strings.Contains(s, want) || strings.Contains(s, "secret") {
				t.Errorf("%s, want %s and no params", s, want)
			}
		}
		release()
		closeQueue(t, q)
	})
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 2})
		start := time.Now()
		var mu sync.Mutex
		ran := map[string]time.Duration{}
		note := func(_ context.Context, d eventbus.Data) error {
			mu.Lock()
			defer mu.Unlock()
			ran[d.Action] = time.Since(start)
			return nil
		}
		at := map[string]time.Duration{"late": time.Hour, "early": time.Second, "too": time.Hour, "past": -time.Hour, "now": 0, "middle": time.Minute}
		for _, name := range []string{"late", "early", "too", "past", "now", "middle"} { // an earlier one comes later
			var err error
			if d := at[name]; name == "early" {
				_, err = q.After(t.Context(), d, note, eventbus.Data{Domain: "d", Action: name})
			} else {
				_, err = q.At(t.Context(), start.Add(d), note, eventbus.Data{Domain: "d", Action: name})
			}
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for name, want := range at {
			if got, ok := ran[name]; !ok || got != max(0, want) {
				t.Errorf("%s ran after %v (%t), want %v", name, got, ok, max(0, want))
			}
		}
		if s := q.Stats(); s != (queue.Stats{Accepted: 6, Done: 6}) {
			t.Errorf("%+v", s)
		}
		closeQueue(t, q)
	})
}

func TestDueJobsGoFirstAndNeedNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		q := queue.New(queue.Options{Workers: 1, Capacity: 1, Overflow: queue.Reject})
		release := block(t, q)
		if err := q.Async(100)(eventbus.Handler{}, ran.handle)(t.Context(), eventbus.Data{Domain: "d", Action: "urgent"}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"b", "a"} {
			at := time.Now().Add(-time.Hour)
			if name == "a" {
				at = at.Add(-time.Hour)
			}
			if _, err := q.At(t.Context(), at, ran.handle, eventbus.Data{Domain: "d", Action: name}); err != nil {
				t.Fatal(err)
			}
		}
		release()
		if want := (recorder{"a", "b", "urgent"}); !slices.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
		closeQueue(t, q)
	})
}

func TestManyDueAtOnceUseAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 5})
		gate := make(chan struct{})
		for range 5 {
			if _, err := q.After(t.Context(), time.Second, func(context.Context, eventbus.Data) error { <-gate; return nil }, event); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := q.Stats().Running; n != 5 {
			t.Errorf("%d of 5 run", n)
		}
		close(gate)
		closeQueue(t, q)
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		q := queue.New(queue.Options{Workers: 1})
		after := func(d time.Duration, name string) *queue.Timer {
			timer, err := q.After(t.Context(), d, ran.handle, eventbus.Data{Domain: "d", Action: name})
			if err != nil {
				t.Fatal(err)
			}
			return timer
		}
		first, second, third := after(time.Second, "first"), after(2*time.Second, "second"), after(3*time.Second, "third")
		if !first.Stop() || first.Stop() {
			t.Error("the first Stop must report true, the second false")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if second.Stop() {
			t.Error("stopped what has run")
		}
		release := block(t, q)
		time.Sleep(time.Second)
		if !third.Stop() {
			t.Error("what is due and not taken can't be stopped")
		}
		release()
		if !slices.Equal(ran, recorder{"second"}) {
			t.Errorf("ran %v", ran)
		}
		if s := q.Stats(); s != (queue.Stats{Accepted: 4, Done: 2, Canceled: 2}) {
			t.Errorf("%+v", s)
		}
		closeQueue(t, q)
	})
}

func TestCloseReportsWhatWasScheduled(t *testing.T) {
	for name, end := range map[string]func(*queue.Queue, context.Context) error{"Drain": (*queue.Queue).Drain, "Close": (*queue.Queue).Close} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran recorder
				var dropped []string
				q := queue.New(queue.Options{Workers: 1, OnDrop: func(_ context.Context, j queue.Job, err error) {
					dropped = append(dropped, fmt.Sprint(j.Data, " ", err))
				}})
				release := block(t, q)
				for d, name := range []string{"due", "b", "c"} {
					if _, err := q.After(t.Context(), time.Duration(d)*time.Hour, ran.handle, eventbus.Data{Domain: "d", Action: name}); err != nil {
						t.Fatal(err)
					}
				}
				ended := make(chan error)
				go func() { ended <- end(q, t.Context()) }()
				synctest.Wait()
				release()
				err := <-ended
				e, ok := errors.AsType[*queue.CloseError](err)
				if !ok || len(e.NotRun) != 2 || e.NotRun[0].Data.Action != "b" || e.NotRun[1].Data.Action != "c" || e.Interrupted != 0 || e.Err != nil {
					t.Errorf("%v: %+v", err, e)
				}
				if !slices.Equal(ran, recorder{"due"}) {
					t.Errorf("ran %v, want what was due", ran)
				}
				want := "d/b d/b: handler queue_test.(*recorder).handle: not run: the queue is closed"
				if len(dropped) != 2 || dropped[0] != want {
					t.Errorf("dropped %q, want %q first", dropped, want)
				}
				if again := q.Close(t.Context()); again == nil || again.Error() != err.Error() {
					t.Errorf("Close again: %v", again)
				}
			})
		})
	}
}

func TestDrainThatRunsOutOfTimeCanGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		for range 3 {
			if err := async(q, func(ctx context.Context, _ eventbus.Data) error { time.Sleep(time.Minute); return ctx.Err() })(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		err := q.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "queue: drain: 1 waiting and 1 running: context deadline exceeded" {
			t.Error(err)
		}
		if err := async(q, nothing)(t.Context(), event); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("while it drains: %v", err)
		}
		if err := q.Drain(t.Context()); err != nil || q.Stats() != (queue.Stats{Accepted: 3, Done: 3}) {
			t.Errorf("%v, %+v", err, q.Stats())
		}
		for range 20 { // it is drained, and so ctx doesn't matter
			if err := errors.Join(q.Drain(ctx), q.Close(ctx)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestCloseStopsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped []string
		var failed []error
		q := queue.New(queue.Options{
			Workers: 1,
			OnError: func(_ context.Context, _ queue.Job, err error) { failed = append(failed, err) },
			OnDrop: func(ctx context.Context, j queue.Job, _ error) {
				dropped = append(dropped, j.Data.Action)
				if ctx.Err() == nil {
					t.Error("the context of what is dropped goes on")
				}
			},
		})
		start := time.Now()
		for i := range 5 {
			err := async(q, func(ctx context.Context, _ eventbus.Data) error {
				select {
				case <-time.After(time.Minute):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})(t.Context(), eventbus.Data{Domain: "d", Action: strconv.Itoa(i)})
			if err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		err := q.Close(ctx)
		if d := time.Since(start); d != 150*time.Second {
			t.Errorf("took %v", d)
		}
		e, _ := errors.AsType[*queue.CloseError](err)
		if e == nil || len(e.NotRun) != 2 || e.Interrupted != 1 || !errors.Is(err, context.DeadlineExceeded) ||
			err.Error() != "queue: closed with 2 jobs not run and 1 interrupted: context deadline exceeded" {
			t.Errorf("%v", err)
		}
		if !slices.Equal(dropped, []string{"3", "4"}) || len(failed) != 1 || !errors.Is(failed[0], queue.ErrClosed) {
			t.Errorf("dropped %v, failed %v", dropped, failed)
		}
		if s := q.Stats(); s != (queue.Stats{Accepted: 5, Done: 2, Failed: 1, Dropped: 2}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestCloseTwiceAtOnceSaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 2, OnError: func(context.Context, queue.Job, error) {}})
		for i := range 2 {
			_ = async(q, func(ctx context.Context, _ eventbus.Data) error {
				<-ctx.Done()
				time.Sleep(time.Duration(i) * time.Minute)
				return ctx.Err()
			})(t.Context(), event)
		}
		synctest.Wait()
		var errs [2]error
		var wg sync.WaitGroup
		for i := range errs {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			defer cancel()
			wg.Go(func() { errs[i] = q.Close(ctx) })
		}
		wg.Wait()
		for _, err := range errs {
			if e, ok := errors.AsType[*queue.CloseError](err); !ok || e.Interrupted != 2 {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestWhatIsDoneIsLetGo(t *testing.T) {
	q := queue.New(queue.Options{Workers: 2})
	defer closeQueue(t, q)
	var params []weak.Pointer[byte]
	for range 10 {
		raw := make([]byte, 1<<20)
		params = append(params, weak.Make(&raw[0]))
		if err := async(q, nothing)(t.Context(), eventbus.Data{Domain: "d", Action: "large", RawParams: raw}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; runtime.GC() {
		if !slices.ContainsFunc(params, func(p weak.Pointer[byte]) bool { return p.Value() != nil }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the queue keeps params of events that are done")
		}
	}
}

func TestAJobCannotWaitForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(queue.Options{Workers: 1})
		var errs []error
		_ = async(q, func(ctx context.Context, _ eventbus.Data) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			errs = append(errs, q.Drain(ctx), q.Close(ctx))
			return nil
		})(t.Context(), event)
		synctest.Wait()
		if len(errs) != 2 || errs[0] == nil || errs[1] == nil {
			t.Errorf("%v", errs)
		}
		if err := async(q, nothing)(t.Context(), event); err != nil {
			t.Errorf("the queue is closed all the same: %v", err)
		}
		closeQueue(t, q)
	})
}

func TestConcurrentDrainAndClose(t *testing.T) {
	for range 200 {
		q := queue.New(queue.Options{Workers: 2, Capacity: 4})
		var accepted, ran atomic.Int64
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for async(q, func(context.Context, eventbus.Data) error { ran.Add(1); return nil })(context.Background(), event) == nil {
					accepted.Add(1)
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				if err := q.Drain(context.Background()); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { closeQueue(t, q) })
		}
		wg.Wait()
		if accepted.Load() != ran.Load() {
			t.Fatalf("accepted %d, ran %d", accepted.Load(), ran.Load())
		}
	}
}

func TestOneAllocationAnEvent(t *testing.T) {
	q := queue.New(queue.Options{Workers: 1})
	done := make(chan struct{})
	ctx := context.WithValue(t.Context(), requestID{}, "r1")
	var bus eventbus.Bus
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { done <- struct{}{}; return nil })
	handle := async(q, func(context.Context, eventbus.Data) error { done <- struct{}{}; return nil })
	for name, submit := range map[string]func() error{
		"Async":   func() error { return handle(ctx, event) },
		"Publish": func() error { return q.Publish(ctx, &bus, event) },
		"Call":    func() error { return q.Call(ctx, &bus, event) },
	} {
		if n := testing.AllocsPerRun(1000, func() {
			if err := submit(); err != nil {
				t.Error(err)
			}
			<-done
		}); n > 1 {
			t.Errorf("%s allocates %v times an event", name, n)
		}
	}
	closeQueue(t, q)
}

var soak = flag.Int("soak", 200_000, "how many events TestSoak sends")

// TestSoak sends many events of all kinds through a small queue and counts each.
// The full run: go test -race -run TestSoak ./queue -soak 10000000 -timeout 1h
func TestSoak(t *testing.T) {
	n := *soak
	handled := make([]atomic.Uint32, n)
	count := func(_ context.Context, d eventbus.Data) error {
		i, err := strconv.Atoi(string(d.RawParams))
		if err != nil {
			return err
		}
		handled[i].Add(1)
		switch {
		case i%1009 == 0:
			panic(i)
		case i%1013 == 0:
			runtime.Goexit()
		}
		return nil
	}
	var failed atomic.Int64
	q := queue.New(queue.Options{Workers: 4, Capacity: 64, OnError: func(context.Context, queue.Job, error) { failed.Add(1) }})
	var bus eventbus.Bus
	bus.Register("n", "published", count)
	for p := range 3 {
		bus.Register("n", strconv.Itoa(p), count, q.Async(p))
	}
	feed := async(q, func(ctx context.Context, d eventbus.Data) error {
		return q.Publish(ctx, &bus, eventbus.Data{Domain: "n", Action: "published", RawParams: d.RawParams})
	})
	batch := queue.NewBatch(q, 10, time.Millisecond, func(ctx context.Context, ds []eventbus.Data) error {
		for _, d := range ds {
			i, _ := strconv.Atoi(string(d.RawParams))
			handled[i].Add(1)
		}
		return nil
	})
	var next, refused atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				d := eventbus.Data{Domain: "n", Action: strconv.Itoa(i % 3), RawParams: strconv.AppendInt(nil, int64(i), 10)}
				ctx := context.Background()
				var err error
				switch i % 16 {
				case 0:
					err = feed(ctx, d)
				case 1:
					_, err = q.After(ctx, time.Microsecond, count, d)
				case 2:
					err = batch.Add(ctx, d)
				case 3:
					ctx, cancel := context.WithCancel(ctx)
					go cancel()
					if err = bus.Call(ctx, d); errors.Is(err, context.Canceled) {
						handled[i].Add(1)
						refused.Add(1)
						err = nil
					}
					cancel()
				default:
					err = bus.Call(ctx, d)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := batch.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	for q.Stats().Scheduled > 0 { // Drain would drop these
		runtime.Gosched()
	}
	closeQueue(t, q)
	for i := range handled {
		if got := handled[i].Load(); got != 1 {
			t.Fatalf("event %d was handled %d times", i, got)
		}
	}
	s := q.Stats()
	if s.Failed != uint64(failed.Load()) || s.Dropped != 0 || s.Accepted != s.Done+s.Failed+s.Canceled || s.Waiting+s.Scheduled+s.Running != 0 {
		t.Errorf("%+v, told of %d failures", s, failed.Load())
	}
	t.Logf("%d events, %d refused: %+v", n, refused.Load(), s)
}
