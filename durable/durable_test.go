package durable_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"example.com/eventbus/metadata"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

var placed = eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte(`{"id":7}`)}

var errHandler = errors.New("out of paper")

// conformance is what holds on every engine.
func conformance[TTx any]() map[string]func(*testing.T, *engine[TTx]) {
	return map[string]func(*testing.T, *engine[TTx]){
		"a committed reaction runs, with all that was dispatched": testCommit[TTx],
		"nothing is stored before the commit or after a rollback": testRollback[TTx],
		"outside a transaction":                                   testOutside[TTx],
		"AutoCommit":                                              testAutoCommit[TTx],
		"each reaction is retried by itself, under the same key":  testRetried[TTx],
		"a permanent error gives up at once":                      testPermanent[TTx],
		"a poison event is given up while the others flow":        testPoison[TTx],
		"a panic is a failure":                                    testPanic[TTx],
		"middleware before wraps the insert, after it the run":    testMiddleware[TTx],
		"an unknown name is loud and kept":                        testUnknown[TTx],
		"an alias finds the jobs of the old name":                 testAlias[TTx],
		"a reaction dispatches reactions":                         testChain[TTx],
		"InsertOpts":                                              testInsertOpts[TTx],
		"a snooze is no failure":                                  testSnooze[TTx],
		"retry and discard":                                       testOperations[TTx],
		"list and count by pages":                                 testPages[TTx],
		"purge":                                                   testPurge[TTx],
		"discard ends a run":                                      testDiscardRunning[TTx],
		"Complete writes once":                                    testComplete[TTx],
		"Complete of a run that was taken away":                   testCompleteTaken[TTx],
		"Complete outside a run or a transaction":                 testCompleteOutside[TTx],
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	for name, test := range conformance[*sql.Tx]() {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, openSQLite(t, t.TempDir()+"/test.db")) })
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	for name, test := range conformance[pgx.Tx]() {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, openPostgres(t)) })
	}
}

// dispatch calls bus within a transaction that commits.
func (e *engine[TTx]) dispatch(t *testing.T, bus *eventbus.Bus, data ...eventbus.Data) {
	t.Helper()
	err := e.run(t.Context(), func(ctx context.Context) error {
		for _, d := range data {
			if err := bus.Call(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func numbered(n int) eventbus.Data { return eventbus.MustData("order", "placed", n) }

// runs collects the jobs as the handler found them.
type runs struct {
	mu  sync.Mutex
	all []durable.Job
}

func (r *runs) add(ctx context.Context) {
	job, _ := durable.From(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, job)
}

func (r *runs) get() []durable.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func (r *runs) handle(err error) eventbus.Func {
	return func(ctx context.Context, _ eventbus.Data) error { r.add(ctx); return err }
}

func testCommit[TTx any](t *testing.T, e *engine[TTx]) {
	payloads := map[string][]byte{
		"none":            nil,
		"empty":           {},
		"an object":       []byte(`{"id":7}`),
		"odd white space": []byte(" {\n\t\"b\": 1e2,\"a\" : 1.0, \"a\":2 }\r\n"),
		"escapes":         []byte(`"\u0000 \ud800 <&> é"`),
		"no JSON at all":  {0, 0xff, '\'', '"'},
	}
	c, bus := e.client(t, nil), eventbus.New(nil)
	type run struct {
		data eventbus.Data
		meta map[string]string
		job  durable.Job
		isIn bool
	}
	ran := make(chan run, len(payloads))
	bus.Register(eventbus.Any, "placed", func(ctx context.Context, d eventbus.Data) error {
		job, ok := durable.From(ctx)
		ran <- run{d, metadata.All(ctx), job, ok}
		return nil
	}, c.Reaction("mail.confirm"))
	start(t, c)
	seen := map[string]bool{}
	for name, raw := range payloads {
		data := eventbus.Data{Domain: "order", Action: "placed", RawParams: raw}
		pairs := map[string]string{"request_id": "r-17 \"é", "odd": "a\x00b", "": "", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
		before := time.Now()
		err := e.run(metadata.WithAll(t.Context(), pairs), func(ctx context.Context) error { return bus.Call(ctx, data) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := <-ran
		if diff := cmp.Diff(data, got.data); diff != "" {
			t.Errorf("%s: data (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(pairs, got.meta); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", name, diff)
		}
		if !got.isIn {
			t.Fatalf("%s: From knows nothing", name)
		}
		if got.job.Time.Before(before.Add(-time.Millisecond)) || got.job.Time.After(time.Now()) {
			t.Errorf("%s: time %v, dispatched at %v", name, got.job.Time, before)
		}
		if len(got.job.Key) < 20 || seen[got.job.Key] || got.job.ID == 0 {
			t.Errorf("%s: id %d, key %q", name, got.job.ID, got.job.Key)
		}
		seen[got.job.Key] = true
		want := durable.Job{
			ID: got.job.ID, Key: got.job.Key, Time: got.job.Time, NextRun: got.job.NextRun,
			Reaction: "mail.confirm", Event: data, Metadata: pairs, State: durable.Running, Attempt: 1, MaxAttempts: 25,
		}
		if diff := cmp.Diff(want, got.job); diff != "" {
			t.Errorf("%s: job (-want +got):\n%s", name, diff)
		}
	}
	eventually(t, "all done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == len(payloads) })
}

func testRollback[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("mail"))
	start(t, c)
	stored := func(ctx context.Context) int {
		n, err := e.number(ctx, "SELECT count(*) FROM river_job")
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for i, end := range []error{errHandler, nil} {
		err := e.run(t.Context(), func(ctx context.Context) error {
			if err := e.exec(ctx, "INSERT INTO orders VALUES ($1)", i); err != nil {
				return err
			}
			if err := bus.Call(ctx, numbered(i)); err != nil {
				return err
			}
			if n := stored(ctx); n != 0 {
				t.Errorf("before the end, others see %d jobs", n)
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		if n := stored(t.Context()); end != nil && n != 0 {
			t.Errorf("%d jobs are left of the rollback", n)
		}
	}
	eventually(t, "the committed one ran", func() bool { return len(got.get()) > 0 })
	if jobs := got.get(); len(jobs) != 1 || string(jobs[0].Event.RawParams) != "1" {
		t.Errorf("ran: %v", jobs)
	}
}

func testOutside[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"},
		func(context.Context, eventbus.Data) error { t.Error("ran"); return nil }, c.Reaction("mail"))

	keep := make(chan context.Context, 1)
	if err := e.run(t.Context(), func(ctx context.Context) error { keep <- ctx; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ctx   context.Context
		want  error
		parts string
	}{
		"no transaction":               {t.Context(), txn.ErrNoTx, "order/placed mail.Confirm txn.Run AutoCommit"},
		"a transaction that has ended": {<-keep, txn.ErrDone, "order/placed mail.Confirm"},
	} {
		err := bus.Call(tt.ctx, placed)
		if !errors.Is(err, tt.want) || !eventbus.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
		for part := range strings.FieldsSeq(tt.parts) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q doesn't say %s", name, err, part)
			}
		}
	}
	if got := counts(t, c, durable.Filter{}); len(got) != 0 {
		t.Errorf("stored: %v", got)
	}
}

func testAutoCommit[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, &durable.Options{AutoCommit: true}), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("mail"))
	if err := bus.Call(t.Context(), placed); err != nil {
		t.Fatal(err)
	}
	err := e.run(t.Context(), func(ctx context.Context) error { // still rules
		return errors.Join(bus.Call(ctx, placed), errHandler)
	})
	if !errors.Is(err, errHandler) {
		t.Fatal(err)
	}
	begin := func(context.Context) (*txn.Buffer, error) { return txn.NewBuffer(bus), nil }
	err = txn.RunScope(t.Context(), bus, begin, nil, func(ctx context.Context) error { return bus.Call(ctx, placed) })
	if err == nil || !strings.Contains(err.Error(), "*txn.Buffer") {
		t.Errorf("in a transaction of another kind: %v", err)
	}
	if diff := cmp.Diff(map[durable.State]int{durable.Waiting: 1}, counts(t, c, durable.Filter{})); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	start(t, c)
	eventually(t, "it ran", func() bool { return len(got.get()) == 1 })
}

func testRetried[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	c, bus := e.client(t, log.options()), eventbus.New(nil)
	var good, bad runs
	bus.Register("order", "placed", good.handle(nil), c.Reaction("good"))
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"}, func(ctx context.Context, _ eventbus.Data) error {
		bad.add(ctx)
		if job, _ := durable.From(ctx); job.Attempt < 3 {
			return errHandler
		}
		return nil
	}, c.Reaction("bad"))
	start(t, c)
	e.dispatch(t, bus, placed)
	eventually(t, "both done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == 2 })
	if n := len(good.get()); n != 1 {
		t.Errorf("the good one ran %d times", n)
	}
	var attempts []int
	key := bad.get()[0].Key
	for _, job := range bad.get() {
		attempts = append(attempts, job.Attempt)
		if job.Key != key {
			t.Errorf("the key was %q and is %q", key, job.Key)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3}, attempts); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if good.get()[0].Key == key {
		t.Error("two reactions have one key")
	}
	if text := bad.get()[2].LastError; !strings.Contains(text, "out of paper") || !strings.Contains(text, "mail.Confirm") {
		t.Errorf("last error: %q", text)
	}
	if !log.has(`"level":"WARN"`, `"reaction":"bad"`, `"domain":"order"`, `"action":"placed"`, `"handler":"mail.Confirm"`, "out of paper", `"attempt":1`) {
		t.Errorf("logged:\n%s", &log.buf)
	}
	if log.has(`"id":7`) || log.has("eyJpZCI6N30") {
		t.Errorf("the params are in the log:\n%s", &log.buf)
	}
}

func testPermanent[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	c, bus := e.client(t, log.options()), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(fmt.Errorf("send: %w", eventbus.Permanent(errHandler))), c.Reaction("marked"))
	eventbus.On(bus, "order", "placed", func(context.Context, string) error { return nil }, c.Reaction("undecodable"))
	start(t, c)
	e.dispatch(t, bus, placed)
	for _, name := range []string{"marked", "undecodable"} {
		eventually(t, name+" given up", func() bool { return counts(t, c, durable.Filter{Reaction: name})[durable.GivenUp] == 1 })
		job := list(t, c, durable.Filter{Reaction: name})[0]
		if job.Attempt != 1 || job.State != durable.GivenUp || job.LastError == "" {
			t.Errorf("%s: %+v", name, job)
		}
		if !log.has(`"level":"ERROR"`, "given up", `"reaction":"`+name+`"`) {
			t.Errorf("%s: logged:\n%s", name, &log.buf)
		}
	}
	if n := len(got.get()); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

func testPoison[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	opts := log.options()
	opts.River.MaxAttempts = 3
	opts.River.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}}
	c, bus := e.client(t, opts), eventbus.New(nil)
	var poison, others runs
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		if string(d.RawParams) == "0" {
			poison.add(ctx)
			return errHandler
		}
		others.add(ctx)
		return nil
	}, c.Reaction("mail"))
	start(t, c)
	for i := range 20 {
		e.dispatch(t, bus, numbered(i))
	}
	eventually(t, "all are through", func() bool {
		got := counts(t, c, durable.Filter{})
		return got[durable.Done] == 19 && got[durable.GivenUp] == 1
	})
	if p, o := len(poison.get()), len(others.get()); p != 3 || o != 19 {
		t.Errorf("poison ran %d times, the others %d", p, o)
	}
	if !log.has(`"level":"ERROR"`, "given up", `"attempt":3`, `"max_attempts":3`) {
		t.Errorf("logged:\n%s", &log.buf)
	}
}

func testPanic[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	c, bus := e.client(t, log.options()), eventbus.New(nil)
	boom := func(ctx context.Context) error {
		if job, _ := durable.From(ctx); job.Attempt == 1 {
			panic("boom")
		}
		return nil
	}
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error { return boom(ctx) }, c.Reaction("handler"))
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, c.Reaction("middleware"),
		func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
			return func(ctx context.Context, d eventbus.Data) error { return errors.Join(boom(ctx), next(ctx, d)) }
		})
	start(t, c)
	e.dispatch(t, bus, placed)
	for _, name := range []string{"handler", "middleware"} {
		eventually(t, name+" done", func() bool { return counts(t, c, durable.Filter{Reaction: name})[durable.Done] == 1 })
		if job := list(t, c, durable.Filter{Reaction: name})[0]; job.Attempt != 2 || !strings.Contains(job.LastError, "panic: boom") {
			t.Errorf("%s: %+v", name, job)
		}
		if !log.has(`"level":"WARN"`, `"reaction":"`+name+`"`, `"stack":"goroutine`) {
			t.Errorf("%s: logged:\n%s", name, &log.buf)
		}
	}
}

func testMiddleware[TTx any](t *testing.T, e *engine[TTx]) {
	c := e.client(t, nil)
	type seen struct {
		Where   string
		InTx    bool
		InRun   bool
		Handler string
	}
	var mu sync.Mutex
	var got []seen
	note := func(where string) eventbus.Middleware {
		return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
			return func(ctx context.Context, d eventbus.Data) error {
				_, err := txn.From[TTx](ctx)
				_, inRun := durable.From(ctx)
				mu.Lock()
				got = append(got, seen{where, err == nil, inRun, h.Name})
				mu.Unlock()
				return next(ctx, d)
			}
		}
	}
	bus := eventbus.New(nil, note("bus"))
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"}, new(runs).handle(nil),
		note("before"), c.Reaction("mail"), note("after"))
	e.dispatch(t, bus, placed)
	start(t, c)
	eventually(t, "done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == 1 })
	want := []seen{{"bus", true, false, "mail.Confirm"}, {"before", true, false, "mail.Confirm"}, {"after", false, true, "mail.Confirm"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func testUnknown[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	old, c, bus := e.client(t, nil), e.client(t, log.options()), eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, old.Reaction("mail"))
	e.dispatch(t, bus, placed)

	start(t, c)
	eventually(t, "it was looked at", func() bool {
		return log.has(`"level":"ERROR"`, `"reaction":"mail"`, `"domain":"order"`, `"action":"placed"`)
	})
	eventually(t, "it is put back", func() bool { return counts(t, c, durable.Filter{})[durable.Waiting] == 1 })
	job := list(t, c, durable.Filter{Reaction: "mail"})[0]
	if wait := time.Until(job.NextRun); job.Attempt != 0 || wait < 30*time.Second || wait > 61*time.Second {
		t.Errorf("attempt %d, next run in %v", job.Attempt, wait)
	}

	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("mail")) // a new version knows it again
	if n, err := c.Retry(t.Context(), durable.Filter{Reaction: "mail"}); n != 1 || err != nil {
		t.Fatalf("retry: %d, %v", n, err)
	}
	eventually(t, "it ran", func() bool { return len(got.get()) == 1 })
	if got.get()[0].Key != job.Key || got.get()[0].Attempt != 1 {
		t.Errorf("got %+v", got.get()[0])
	}
}

func testAlias[TTx any](t *testing.T, e *engine[TTx]) {
	old, c := e.client(t, nil), e.client(t, nil)
	before, after := eventbus.New(nil), eventbus.New(nil)
	var got runs
	before.Register("order", "placed", got.handle(nil), old.Reaction("post"))
	after.Register("order", "placed", got.handle(nil), c.Reaction("mail", "letter", "post"))
	e.dispatch(t, before, placed)
	e.dispatch(t, after, placed)
	for _, name := range []string{"mail", "post", "letter"} {
		if n := len(list(t, c, durable.Filter{Reaction: name})); n != 2 {
			t.Errorf("%s: %d jobs", name, n)
		}
		if n := counts(t, c, durable.Filter{Reaction: name})[durable.Waiting]; n != 2 {
			t.Errorf("%s: counted %d", name, n)
		}
	}
	start(t, c)
	eventually(t, "both ran", func() bool { return len(got.get()) == 2 })
	names := []string{got.get()[0].Reaction, got.get()[1].Reaction}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"mail", "post"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func testChain[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		return e.run(ctx, func(ctx context.Context) error {
			return bus.Call(ctx, eventbus.Data{Domain: "invoice", Action: "sent", RawParams: d.RawParams})
		})
	}, c.Reaction("billing"))
	bus.Register("invoice", "sent", got.handle(nil), c.Reaction("audit"))
	start(t, c)
	ctx := metadata.With(t.Context(), "correlation_id", "c-1")
	if err := e.run(ctx, func(ctx context.Context) error { return bus.Call(ctx, placed) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second ran", func() bool { return len(got.get()) == 1 })
	if job := got.get()[0]; job.Reaction != "audit" || job.Metadata["correlation_id"] != "c-1" {
		t.Errorf("got %+v", job)
	}
}

func testInsertOpts[TTx any](t *testing.T, e *engine[TTx]) {
	later := time.Now().Add(time.Hour).Truncate(time.Second)
	c, bus := e.client(t, &durable.Options{InsertOpts: func(name string, d eventbus.Data) *river.InsertOpts {
		if name == "plain" {
			return nil
		}
		return &river.InsertOpts{Queue: d.Domain, ScheduledAt: later, MaxAttempts: 7}
	}}), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("special"))
	bus.Register("order", "placed", got.handle(nil), c.Reaction("plain"))
	e.dispatch(t, bus, placed)
	job := list(t, c, durable.Filter{Reaction: "special"})[0]
	if job.MaxAttempts != 7 || !job.NextRun.Equal(later) || job.State != durable.Waiting {
		t.Errorf("got %+v", job)
	}
	row, err := c.River().JobGet(t.Context(), job.ID)
	if err != nil || row.Queue != "order" {
		t.Errorf("row %+v, %v", row, err)
	}
	if job := list(t, c, durable.Filter{Reaction: "plain"})[0]; job.MaxAttempts != 25 {
		t.Errorf("got %+v", job)
	}
}

func testSnooze[TTx any](t *testing.T, e *engine[TTx]) {
	var log logbook
	c, bus := e.client(t, log.options()), eventbus.New(nil)
	n := 0
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error {
		if n++; n == 1 {
			return river.JobSnooze(10 * time.Millisecond)
		}
		return nil
	}, c.Reaction("mail"))
	start(t, c)
	e.dispatch(t, bus, placed)
	eventually(t, "done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == 1 })
	if job := list(t, c, durable.Filter{})[0]; job.Attempt != 1 || n != 2 || log.has("failed") {
		t.Errorf("attempt %d, %d runs, logged\n%s", job.Attempt, n, &log.buf)
	}
}

func testOperations[TTx any](t *testing.T, e *engine[TTx]) {
	opts := &durable.Options{River: river.Config{MaxAttempts: 1}}
	c, bus := e.client(t, opts), eventbus.New(nil)
	ill := make(chan bool, 1)
	ill <- true
	isIll := func() bool { b := <-ill; ill <- b; return b }
	for _, name := range []string{"a", "b"} {
		bus.Register("order", "placed", func(context.Context, eventbus.Data) error {
			if isIll() {
				return errHandler
			}
			return nil
		}, c.Reaction(name))
	}
	e.dispatch(t, bus, numbered(1), numbered(2))
	check := func(when string, f durable.Filter, want map[durable.State]int) {
		t.Helper()
		eventually(t, fmt.Sprint(when, ": ", want), func() bool { return cmp.Equal(want, counts(t, c, f)) })
		n := 0
		for _, job := range list(t, c, f) {
			n++
			if want[job.State] == 0 {
				t.Errorf("%s: listed %+v", when, job)
			}
		}
		if total := want[durable.Waiting] + want[durable.GivenUp] + want[durable.Done]; n != total {
			t.Errorf("%s: listed %d", when, n)
		}
	}
	check("stored", durable.Filter{}, map[durable.State]int{durable.Waiting: 4})
	start(t, c)
	check("failed", durable.Filter{}, map[durable.State]int{durable.GivenUp: 4})
	check("by reaction", durable.Filter{Reaction: "a"}, map[durable.State]int{durable.GivenUp: 2})
	check("by state", durable.Filter{States: []durable.State{durable.GivenUp, durable.Done}}, map[durable.State]int{durable.GivenUp: 4})
	check("by another state", durable.Filter{States: []durable.State{durable.Running}}, map[durable.State]int{})
	check("by no state", durable.Filter{States: []durable.State{}}, map[durable.State]int{})

	do := func(what string, f func(context.Context, durable.Filter) (int, error), filter durable.Filter, want int) {
		t.Helper()
		if n, err := f(t.Context(), filter); n != want || err != nil {
			t.Errorf("%s %+v: %d, %v; want %d", what, filter, n, err, want)
		}
	}
	<-ill
	ill <- false
	one := list(t, c, durable.Filter{Reaction: "a"})[0].ID
	do("retry", c.Retry, durable.Filter{ID: one}, 1)
	check("one retried", durable.Filter{ID: one}, map[durable.State]int{durable.Done: 1})
	check("only that", durable.Filter{}, map[durable.State]int{durable.Done: 1, durable.GivenUp: 3})
	do("retry", c.Retry, durable.Filter{ID: one}, 0)
	do("retry", c.Retry, durable.Filter{ID: one, Reaction: "b"}, 0)
	do("retry", c.Retry, durable.Filter{Reaction: "b"}, 2)
	check("b retried", durable.Filter{Reaction: "b"}, map[durable.State]int{durable.Done: 2})
	check("only those", durable.Filter{}, map[durable.State]int{durable.Done: 3, durable.GivenUp: 1})
	do("discard", c.Discard, durable.Filter{Reaction: "a"}, 0)
	do("retry", c.Retry, durable.Filter{ID: 1 << 40}, 0)
	do("retry", c.Retry, durable.Filter{ID: one, States: []durable.State{durable.Done}}, 1)
	eventually(t, "it ran again", func() bool {
		j := list(t, c, durable.Filter{ID: one})[0]
		return j.State == durable.Done && j.Attempt == 3
	})

	for name, f := range map[string]func(context.Context, durable.Filter) (int, error){"retry": c.Retry, "discard": c.Discard} {
		if n, err := f(t.Context(), durable.Filter{States: []durable.State{durable.GivenUp}}); n != 0 || err == nil {
			t.Errorf("%s of everything: %d, %v", name, n, err)
		}
	}

	later := e.client(t, &durable.Options{InsertOpts: func(string, eventbus.Data) *river.InsertOpts {
		return &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}
	}})
	other := eventbus.New(nil)
	other.Register("order", "placed", new(runs).handle(nil), later.Reaction("c"))
	e.dispatch(t, other, numbered(1), numbered(2), numbered(3))
	do("discard", c.Discard, durable.Filter{ID: list(t, c, durable.Filter{Reaction: "c"})[1].ID}, 1)
	check("one discarded", durable.Filter{Reaction: "c"}, map[durable.State]int{durable.Waiting: 2, durable.GivenUp: 1})
	do("discard", c.Discard, durable.Filter{Reaction: "c"}, 2)
	check("all discarded", durable.Filter{Reaction: "c"}, map[durable.State]int{durable.GivenUp: 3})
}

func testPages[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Register("order", "placed", new(runs).handle(nil), c.Reaction("mail"))
	const n = 603 // more than one page
	var want []string
	err := e.run(t.Context(), func(ctx context.Context) error {
		for i := range n {
			want = append(want, fmt.Sprint(i))
			if err := bus.Call(ctx, numbered(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, job := range list(t, c, durable.Filter{Reaction: "mail"}) {
		got = append(got, string(job.Event.RawParams))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := c.Discard(t.Context(), durable.Filter{Reaction: "mail"}); got != n || err != nil {
		t.Errorf("discarded %d, %v", got, err)
	}
	if got, err := c.Purge(t.Context(), 0); got != n || err != nil {
		t.Errorf("purged %d, %v", got, err)
	}
	if got := counts(t, c, durable.Filter{}); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func testPurge[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Register("order", "placed", func(_ context.Context, d eventbus.Data) error {
		if string(d.RawParams) == "0" {
			return eventbus.Permanent(errHandler)
		}
		return nil
	}, c.Reaction("mail"))
	e.dispatch(t, bus, numbered(0), numbered(1))
	start(t, c)
	want := map[durable.State]int{durable.GivenUp: 1, durable.Done: 1}
	eventually(t, "both finished", func() bool { return cmp.Equal(want, counts(t, c, durable.Filter{})) })
	later := e.client(t, &durable.Options{InsertOpts: func(string, eventbus.Data) *river.InsertOpts {
		return &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}
	}})
	other := eventbus.New(nil)
	other.Register("order", "placed", new(runs).handle(nil), later.Reaction("mail"))
	e.dispatch(t, other, placed)
	for age, wantN := range map[time.Duration]int{time.Hour: 0} {
		if n, err := c.Purge(t.Context(), age); n != wantN || err != nil {
			t.Errorf("purge %v: %d, %v", age, n, err)
		}
	}
	if n, err := c.Purge(t.Context(), 0); n != 2 || err != nil {
		t.Errorf("purge: %d, %v", n, err)
	}
	if diff := cmp.Diff(map[durable.State]int{durable.Waiting: 1}, counts(t, c, durable.Filter{})); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func testDiscardRunning[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	running, discarded := make(chan int64), make(chan bool)
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		job, _ := durable.From(ctx)
		select {
		case running <- job.ID:
		case <-ctx.Done():
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-discarded:
			return errHandler // the first failure of 25
		}
	}, c.Reaction("mail"))
	start(t, c)
	e.dispatch(t, bus, placed)
	id := <-running
	if diff := cmp.Diff(map[durable.State]int{durable.Running: 1}, counts(t, c, durable.Filter{ID: id})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n, err := c.Discard(t.Context(), durable.Filter{ID: id}); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if e.driver.DatabaseName() == "sqlite" { // where nobody tells it
		close(discarded)
	}
	eventually(t, "given up", func() bool { return counts(t, c, durable.Filter{})[durable.GivenUp] == 1 })
}

// The handler fails after its commit at each attempt but the last. Without
// Complete each run would write its row again.
func testComplete[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	if err := e.exec(t.Context(), "CREATE TABLE invoices (key text)"); err != nil {
		t.Fatal(err)
	}
	var got runs
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		got.add(ctx)
		job, _ := durable.From(ctx)
		err := e.run(ctx, func(ctx context.Context) error {
			if err := e.exec(ctx, "INSERT INTO invoices VALUES ($1)", job.Key); err != nil {
				return err
			}
			if err := c.Complete(ctx); err != nil {
				return err
			}
			if job.Attempt == 1 {
				return errHandler // rolls back row and mark
			}
			return nil
		})
		return errors.Join(err, errors.New("this run's mark stands, whatever it returns"))
	}, c.Reaction("billing"))
	start(t, c)
	e.dispatch(t, bus, placed)
	eventually(t, "done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == 1 })
	if n, err := e.number(t.Context(), "SELECT count(*) FROM invoices"); n != 1 || err != nil {
		t.Errorf("%d invoices, %v", n, err)
	}
	if n := len(got.get()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func testCompleteTaken[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	updates := map[string]string{
		"waits to be retried": "state = 'retryable'",
		"runs elsewhere":      "attempt = attempt + 1",
		"is done elsewhere":   "attempt = attempt + 1, state = 'completed', finalized_at = created_at",
	}
	result := make(chan error, 1)
	for name, update := range updates {
		bus.Register("order", name, func(ctx context.Context, _ eventbus.Data) error {
			job, _ := durable.From(ctx)
			if err := e.exec(ctx, "UPDATE river_job SET "+update+" WHERE id = $1", job.ID); err != nil {
				return err
			}
			err := e.run(ctx, c.Complete)
			select {
			case result <- err:
			default: // it runs again
			}
			return nil
		}, c.Reaction(name))
	}
	start(t, c)
	for name := range updates {
		e.dispatch(t, bus, eventbus.Data{Domain: "order", Action: name})
		if err := <-result; err == nil || !strings.Contains(err.Error(), "taken") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Discard(t.Context(), durable.Filter{Reaction: name}); err != nil {
			t.Error(err)
		}
	}
}

func testCompleteOutside[TTx any](t *testing.T, e *engine[TTx]) {
	c, bus := e.client(t, nil), eventbus.New(nil)
	if err := e.run(t.Context(), c.Complete); err == nil || !strings.Contains(err.Error(), "no reaction") {
		t.Errorf("outside a run: %v", err)
	}
	result := make(chan error, 1)
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error { result <- c.Complete(ctx); return nil }, c.Reaction("mail"))
	start(t, c)
	e.dispatch(t, bus, placed)
	if err := <-result; !errors.Is(err, txn.ErrNoTx) || !strings.Contains(err.Error(), `"mail"`) {
		t.Errorf("outside a transaction: %v", err)
	}
}
