package eventbustest_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/eventbus"
	"example.com/eventbus/eventbustest"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
)

// fakeTB is a test that notes what is reported to it.
type fakeTB struct {
	testing.TB // what isn't overridden panics

	mu       sync.Mutex
	errors   []string
	out      bytes.Buffer
	cleanups []func()
	over     bool
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		panic("Errorf after the test has completed")
	}
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Output() io.Writer { return f }

func (f *fakeTB) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		panic("Log after the test has completed")
	}
	return f.out.Write(p)
}

func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

func (f *fakeTB) end() {
	for _, fn := range slices.Backward(f.cleanups) {
		fn()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

// wantReport fails t unless there is one report with all of parts, or none for no parts.
func (f *fakeTB) wantReport(t *testing.T, parts ...string) {
	t.Helper()
	if len(parts) == 0 {
		if len(f.errors) > 0 {
			t.Errorf("reported: %s\nwant nothing", f.errors)
		}
		return
	}
	if len(f.errors) != 1 {
		t.Fatalf("%d reports %q, want one", len(f.errors), f.errors)
	}
	for _, part := range parts {
		if !strings.Contains(oneLine(f.errors[0]), oneLine(part)) {
			t.Errorf("the report is:\n%s\nwant it to have %q", f.errors[0], part)
		}
	}
}

// oneLine makes all space alike: go-cmp varies it, so that nobody relies on it.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

type user struct {
	ID   int
	Name string
}

func created(id int) eventbus.Data { return eventbus.MustData("user", "created", user{ID: id}) }

// recorded returns a recorder that has seen users 1, 2, 2 and one other event.
func recorded(t *testing.T) *eventbustest.Recorder {
	bus := new(eventbus.Bus)
	rec := eventbustest.Record(bus)
	for _, d := range []eventbus.Data{created(1), eventbus.MustData("mail", "sent", nil), created(2), created(2)} {
		if err := bus.Publish(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	return rec
}

func TestExpectations(t *testing.T) {
	one, two, three := user{ID: 1}, user{ID: 2}, user{ID: 3}
	type expectation = eventbustest.Expectation[user]
	for _, tt := range []struct {
		name  string
		check func(expectation)
		want  []string // parts of the report; none for a check that passes
	}{
		{"exactly, all", func(e expectation) { e.Exactly(two, one, two) }, nil},
		{"exactly, one missing", func(e expectation) { e.Exactly(one, two, two, three) }, []string{"exactly these, in any order", "-", "ID: 3"}},
		{"exactly, one too many", func(e expectation) { e.Exactly(one, two) }, []string{"exactly these", "+", "ID: 2"}},
		{"exactly, another", func(e expectation) { e.Exactly(one, two, three) }, []string{"exactly these", "-", "ID: 3", "+", "ID: 2"}},
		{"exactly, none", func(e expectation) { e.Exactly() }, []string{"exactly these"}},
		{"in order, all", func(e expectation) { e.InOrder(one, two, two) }, nil},
		{"in order, another order", func(e expectation) { e.InOrder(two, one, two) }, []string{"in this order"}},
		{"in order, one missing", func(e expectation) { e.InOrder(one, two) }, []string{"in this order", "+", "ID: 2"}},
		{"at least, some", func(e expectation) { e.AtLeast(two, one) }, nil},
		{"at least, twice", func(e expectation) { e.AtLeast(two, two) }, nil},
		{"at least, three times", func(e expectation) { e.AtLeast(two, two, two) }, []string{"at least these", "-", "ID: 2"}},
		{"at least, another", func(e expectation) { e.AtLeast(one, three) }, []string{"at least these", "-", "ID: 3"}},
		{"at least, none", func(e expectation) { e.AtLeast() }, nil},
		{"none", func(e expectation) { e.None() }, []string{"want none, got 3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := new(fakeTB)
			tt.check(eventbustest.Expect[user](tb, recorded(t), "user", "created"))
			if tt.want != nil {
				tt.want = append(tt.want, "eventbustest: user/created: want ", "recorded, in this order:\n\tuser/created {\"ID\":1,\"Name\":\"\"}\n\tmail/sent without params\n\tuser/created {\"ID\":2")
			}
			tb.wantReport(t, tt.want...)
		})
	}
}

// What passes is what counting says.
func FuzzExpectations(f *testing.F) {
	f.Add([]byte{1, 2, 2}, []byte{2, 1, 2})
	f.Add([]byte{1}, []byte{1, 1})
	f.Add([]byte{}, []byte{0})
	f.Fuzz(func(t *testing.T, wanted, happened []byte) {
		rec := new(eventbustest.Fake)
		more := map[int]int{} // how many more there are than are wanted
		var want []int
		for _, b := range wanted {
			want = append(want, int(b%4))
			more[int(b%4)]--
		}
		for _, b := range happened {
			if err := rec.Handle(t.Context(), eventbus.MustData("n", "seen", b%4)); err != nil {
				t.Fatal(err)
			}
			more[int(b%4)]++
		}
		atLeast, exactly := true, true
		for _, n := range more {
			atLeast, exactly = atLeast && n >= 0, exactly && n == 0
		}
		inOrder := slices.EqualFunc(want, happened, func(w int, b byte) bool { return w == int(b%4) })
		passes := func(check func(eventbustest.Expectation[int], ...int)) bool {
			tb := new(fakeTB)
			check(eventbustest.Expect[int](tb, rec, "n", "seen"), want...)
			return len(tb.errors) == 0
		}
		if got := passes(eventbustest.Expectation[int].AtLeast); got != atLeast {
			t.Errorf("AtLeast passes: %t, want %t", got, atLeast)
		}
		if got := passes(eventbustest.Expectation[int].Exactly); got != exactly {
			t.Errorf("Exactly passes: %t, want %t", got, exactly)
		}
		if got := passes(eventbustest.Expectation[int].InOrder); got != inOrder {
			t.Errorf("InOrder passes: %t, want %t", got, inOrder)
		}
	})
}

func TestExpectNothingOfNothing(t *testing.T) {
	tb, rec := new(fakeTB), new(eventbustest.Fake)
	e := eventbustest.Expect[user](tb, rec, "user", "created")
	e.None()
	e.Exactly()
	e.Exactly([]user{}...)
	e.InOrder()
	e.InOrder([]user{}...)
	e.AtLeast()
	tb.wantReport(t)
	e.Exactly(user{ID: 1})
	tb.wantReport(t, "nothing was recorded")
}

func TestExpectAny(t *testing.T) {
	tb, rec := new(fakeTB), recorded(t)
	eventbustest.Expect[user](tb, rec, "user", eventbus.Any).InOrder(user{ID: 1}, user{ID: 2}, user{ID: 2})
	eventbustest.Expect[struct{}](tb, rec, eventbus.Any, "sent").Exactly(struct{}{})
	eventbustest.Expect[user](tb, rec, "user", "deleted").None()
	eventbustest.Expect[user](tb, rec, "mail", "created").None()
	tb.wantReport(t)
	eventbustest.Expect[user](tb, rec, eventbus.Any, eventbus.Any).None()
	tb.wantReport(t, "*/*: want none, got 4")
}

func TestExpectUsesOptions(t *testing.T) {
	tb := new(fakeTB)
	parity := cmp.Comparer(func(a, b user) bool { return a.ID%2 == b.ID%2 })
	e := eventbustest.Expect[user](tb, recorded(t), "user", "created", parity)
	e.Exactly(user{ID: 4}, user{ID: 6}, user{ID: 7})
	e.InOrder(user{ID: 7}, user{ID: 6}, user{ID: 4})
	e.AtLeast(user{ID: 7})
	tb.wantReport(t)
}

func TestExpectReportsWhatDoesNotDecode(t *testing.T) {
	for name, check := range map[string]func(eventbustest.Expectation[int]){
		"exactly":  func(e eventbustest.Expectation[int]) { e.Exactly() },
		"in order": func(e eventbustest.Expectation[int]) { e.InOrder() },
		"at least": func(e eventbustest.Expectation[int]) { e.AtLeast() },
	} {
		t.Run(name, func(t *testing.T) {
			tb := new(fakeTB)
			check(eventbustest.Expect[int](tb, recorded(t), "user", "created"))
			tb.wantReport(t, "decode user/created to int", "a JSON object does not fit", `{"ID":1`)
		})
	}
}

func TestReportsStayShort(t *testing.T) {
	tb, fake := new(fakeTB), new(eventbustest.Fake)
	for i := range 1000 {
		if err := fake.Handle(t.Context(), eventbus.MustData("file", "stored", strings.Repeat("x", 10_000)+fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	eventbustest.Expect[string](tb, fake, "file", "stored").None()
	tb.wantReport(t, "want none, got 1000", "xxx… (1000", "and 970 more")
	if n := len(tb.errors[0]); n > 15_000 {
		t.Errorf("the report has %d bytes", n)
	}
}

func TestRecorderSeesEveryDispatch(t *testing.T) {
	bus := new(eventbus.Bus)
	rec := eventbustest.Record(bus)
	bus.Register("user", "created", func(ctx context.Context, _ eventbus.Data) error {
		return errors.Join(bus.Publish(ctx, eventbus.MustData("mail", "sent", 1)), errors.New("broken"))
	})
	bus.Register("user", "created", func(_ context.Context, data eventbus.Data) error {
		clear(data.RawParams) // which it must not, but what was dispatched stays recorded
		return nil
	})
	if err := bus.Publish(t.Context(), created(1)); err == nil {
		t.Error("the broken handler succeeded")
	}
	if err := bus.Call(t.Context(), eventbus.MustData("nobody", "listens", nil)); err != nil {
		t.Error(err)
	}
	want := []eventbus.Data{created(1), eventbus.MustData("mail", "sent", 1), eventbus.MustData("nobody", "listens", nil)}
	if diff := cmp.Diff(want, rec.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	rec.Events()[0].Action = "changed"
	if rec.Events()[0].Action != "created" {
		t.Error("the recorder shares its list with who asks for it")
	}
}

func TestRecorderTakesDispatchesFromManyGoroutines(t *testing.T) {
	bus := new(eventbus.Bus)
	rec := eventbustest.Record(bus)
	var want []user
	var wg sync.WaitGroup
	for i := range 50 {
		want = append(want, user{ID: i})
		wg.Go(func() {
			if err := bus.Call(t.Context(), created(i)); err != nil {
				t.Error(err)
			}
			rec.Events()
		})
	}
	wg.Wait()
	eventbustest.Expect[user](t, rec, "user", "created").Exactly(want...)
}

func TestRecordPanicsOnceTheBusHasDispatched(t *testing.T) {
	bus := new(eventbus.Bus)
	if err := bus.Call(t.Context(), created(1)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Record took a bus that had dispatched")
		}
	}()
	eventbustest.Record(bus)
}

func TestFake(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	for _, tt := range []struct {
		name string
		tell func(*eventbustest.Fake)
		want []any // errors, and values of panics
	}{
		{"zero", func(*eventbustest.Fake) {}, []any{nil, nil}},
		{"fail always", func(f *eventbustest.Fake) { f.Fail(a) }, []any{a, a, a}},
		{"fail in turn", func(f *eventbustest.Fake) { f.Fail(a, nil, b, nil) }, []any{a, nil, b, nil, nil}},
		{"succeed again", func(f *eventbustest.Fake) { f.Fail(a); f.Fail(nil) }, []any{nil, nil}},
		{"succeed again, of nothing", func(f *eventbustest.Fake) { f.Fail(a); f.Fail() }, []any{nil, nil}},
		{"panic always", func(f *eventbustest.Fake) { f.Panic("boom") }, []any{"boom", "boom"}},
		{"panic in turn", func(f *eventbustest.Fake) { f.Panic("boom", nil, 7, nil) }, []any{"boom", nil, 7, nil, nil}},
		{"fail rather than panic", func(f *eventbustest.Fake) { f.Panic("boom"); f.Fail(a, nil) }, []any{a, nil, nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus, fake := new(eventbus.Bus), new(eventbustest.Fake)
			bus.Register("user", "created", fake.Handle)
			tt.tell(fake)
			var got []any
			var events []user
			for i := range tt.want {
				events = append(events, user{ID: i})
				err := bus.Call(t.Context(), created(i))
				h, _ := errors.AsType[*eventbus.HandlerError](err)
				p, panicked := errors.AsType[*eventbus.PanicError](err)
				switch {
				case err == nil:
					got = append(got, nil)
				case panicked:
					got = append(got, p.Value)
				default:
					got = append(got, h.Err)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("the calls ended with %v, want %v", got, tt.want)
			}
			eventbustest.Expect[user](t, fake, "user", "created").InOrder(events...)
		})
	}
}

func TestReadOnly(t *testing.T) {
	write := func(data eventbus.Data) { data.RawParams[0] = '[' }
	for _, tt := range []struct {
		name    string
		handler eventbus.Func
		want    []string
	}{
		{"reads", func(_ context.Context, data eventbus.Data) error {
			_, err := eventbus.Decode[user](data)
			return err
		}, nil},
		{"clones first", func(_ context.Context, data eventbus.Data) error {
			data.RawParams = slices.Clone(data.RawParams)
			write(data)
			return nil
		}, nil},
		{"writes", func(_ context.Context, data eventbus.Data) error { write(data); return nil },
			[]string{"handler eventbustest_test.TestReadOnly.func", "eventbustest_test/eventbustest_test.go:", "wrote to the RawParams of user/created:", `was {"ID":1,`, `is  ["ID":1,`}},
		{"writes and panics", func(_ context.Context, data eventbus.Data) error { write(data); panic("boom") },
			[]string{"wrote to the RawParams of user/created:"}},
		{"appends", func(_ context.Context, data eventbus.Data) error { _ = append(data.RawParams, '!'); return nil },
			[]string{"handler eventbustest_test.TestReadOnly.func", "appended to the RawParams of user/created"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := new(fakeTB)
			bus, other := eventbus.New(nil, eventbustest.ReadOnly(tb)), new(eventbustest.Fake)
			bus.Register("user", "created", tt.handler)
			bus.Register("user", "created", other.Handle)
			data := created(1)
			if err := bus.Publish(t.Context(), data); (err != nil) != strings.Contains(tt.name, "panics") {
				t.Error(err)
			}
			if diff := cmp.Diff([]eventbus.Data{created(1), created(1)}, append(other.Events(), data)); diff != "" {
				t.Errorf("the next handler's event and the producer's (-want +got):\n%s", diff)
			}
			tb.wantReport(t, tt.want...)
			tb.end()
			tb.wantReport(t, tt.want...)
		})
	}
}

func TestReadOnlyLeavesNoParamsAlone(t *testing.T) {
	tb := new(fakeTB)
	bus := eventbus.New(nil, eventbustest.ReadOnly(tb))
	bus.Register("user", "created", func(_ context.Context, data eventbus.Data) error {
		if data.RawParams != nil {
			t.Errorf("an event without params has %q", data.RawParams)
		}
		return nil
	})
	if err := bus.Call(t.Context(), eventbus.MustData("user", "created", nil)); err != nil {
		t.Error(err)
	}
}

// What a handler left behind writes is found at the end of the test; what it does after
// that is nobody's concern.
func TestReadOnlySeesLateWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := new(fakeTB)
		bus, next := eventbus.New(nil, eventbustest.ReadOnly(tb)), make(chan bool)
		bus.Register("user", "created", func(_ context.Context, data eventbus.Data) error {
			go func() {
				<-next
				data.RawParams[0] = '['
			}()
			return nil
		})
		if err := bus.Call(t.Context(), created(1)); err != nil {
			t.Error(err)
		}
		tb.wantReport(t)
		close(next)
		synctest.Wait()
		tb.end()
		tb.wantReport(t, "wrote to the RawParams of user/created after it had returned:")

		bus.Register("user", "created", func(_ context.Context, data eventbus.Data) error { data.RawParams[0] = '['; return nil })
		if err := bus.Call(t.Context(), created(1)); err != nil { // fakeTB panics on a report by now
			t.Error(err)
		}
	})
}

func TestReadOnlyAsInterceptor(t *testing.T) {
	tb, bus := new(fakeTB), new(eventbus.Bus)
	bus.Intercept(eventbustest.ReadOnly(tb))
	bus.Register("user", "created", func(_ context.Context, data eventbus.Data) error { clear(data.RawParams); return nil })
	if err := bus.Call(t.Context(), created(1)); err != nil {
		t.Error(err)
	}
	tb.wantReport(t, "handler Call, registered at", "wrote to the RawParams")
}

func TestLogger(t *testing.T) {
	tb := new(fakeTB)
	log := eventbustest.Logger(tb)
	bus := eventbus.New(log)
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { return errors.New("broken") })
	if err := bus.Call(t.Context(), created(1)); err == nil {
		t.Error("the broken handler succeeded")
	}
	log.With("time", "kept").WithGroup("g").Info("hello", "time", "kept too")
	lines := strings.Split(strings.TrimSpace(tb.out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "level=DEBUG msg=") || !strings.HasPrefix(lines[1], "level=ERROR msg=") ||
		lines[2] != `level=INFO msg=hello time=kept g.time="kept too"` {
		t.Errorf("the log is:\n%s\nwant a line at Debug, one at Error and one at Info, without the time of day", tb.out.String())
	}
	tb.end()
	log.Info("late") // fakeTB panics on output by now
}

// database is a database that counts what became of its transactions.
type database struct {
	commits, rollbacks int
	broken             error // of Rollback
}

func (d *database) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *database) Driver() driver.Driver                        { return nil }
func (d *database) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (d *database) Close() error                                 { return nil }
func (d *database) Begin() (driver.Tx, error)                    { return d, nil }
func (d *database) Commit() error                                { d.commits++; return nil }
func (d *database) Rollback() error                              { d.rollbacks++; return d.broken }

func TestRollBack(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name     string
		fn       func(ctx context.Context, db *sql.DB, bus *eventbus.Bus) error
		rollback error
		want     []int // the users whose mail would go out
		err      error
	}{
		{"events in a transaction", func(ctx context.Context, _ *sql.DB, bus *eventbus.Bus) error {
			return errors.Join(bus.Call(ctx, created(1)), bus.Publish(ctx, created(2)))
		}, nil, []int{1, 2}, nil},
		{"code that runs its own", func(ctx context.Context, db *sql.DB, bus *eventbus.Bus) error {
			return txn.Run(ctx, db, nil, func(ctx context.Context) error { return bus.Call(ctx, created(1)) })
		}, nil, []int{1}, nil},
		{"nothing put off", func(context.Context, *sql.DB, *eventbus.Bus) error { return nil }, nil, nil, nil},
		{"failure", func(ctx context.Context, _ *sql.DB, bus *eventbus.Bus) error {
			return errors.Join(bus.Call(ctx, created(1)), broken)
		}, nil, nil, broken},
		{"failed rollback", func(ctx context.Context, _ *sql.DB, bus *eventbus.Bus) error {
			return bus.Call(ctx, created(1))
		}, broken, nil, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &database{broken: tt.rollback}
			db := sql.OpenDB(server)
			bus, mail := new(eventbus.Bus), new(eventbustest.Fake)
			bus.Register("user", "created", mail.Handle, txn.AfterCommit())

			late, err := eventbustest.RollBack(t.Context(), db, func(ctx context.Context) error {
				if _, err := txn.From[*sql.Tx](ctx); err != nil {
					t.Error(err)
				}
				return tt.fn(ctx, db, bus)
			})

			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Errorf("RollBack returned the error %v, want %v", err, tt.err)
			}
			var users []user
			var names []string
			for _, id := range tt.want {
				users = append(users, user{ID: id})
				names = append(names, "eventbustest.(*Fake).Handle")
			}
			eventbustest.Expect[user](t, late, "user", "created").InOrder(users...)
			if diff := cmp.Diff(names, late.Names()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			eventbustest.Expect[user](t, mail, "user", "created").None()
			if server.commits != 0 || server.rollbacks != 1 {
				t.Errorf("%d commits and %d rollbacks, want 0 and 1", server.commits, server.rollbacks)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRollBackOfOneWhoIsGone(t *testing.T) {
	server := new(database)
	db := sql.OpenDB(server)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := eventbustest.RollBack(ctx, db, func(context.Context) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("RollBack returned %v, want context.Canceled, as a run that commits does", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// The package comment's picture compiles and holds.
func TestPicture(t *testing.T) {
	t.Parallel()
	bus := eventbus.New(eventbustest.Logger(t), eventbustest.ReadOnly(t))
	rec := eventbustest.Record(bus)
	var mailer eventbustest.Fake
	mailer.Fail(errors.New("server is busy"), nil)
	bus.Register("user", "created", mailer.Handle)
	if err := bus.Call(t.Context(), created(1)); err == nil {
		t.Error("the busy server took the mail")
	}
	eventbustest.Expect[user](t, rec, "user", "created").Exactly(user{ID: 1})
	eventbustest.Expect[json.RawMessage](t, rec, "user", "deleted").None()
}
