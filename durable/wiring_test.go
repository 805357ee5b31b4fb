package durable_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river"
)

func TestMisuseAtWiringPanics(t *testing.T) {
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	ok := func(context.Context, eventbus.Data) error { return nil }
	for name, tt := range map[string]struct {
		wire func(*eventbus.Bus, *durable.Client[*sql.Tx])
		want []string // in the panic
	}{
		"the same name twice": {func(b *eventbus.Bus, c *durable.Client[*sql.Tx]) {
			b.Register("order", "placed", ok, c.Reaction("mail"))
			b.Register("order", "paid", ok, c.Reaction("mail"))
		}, []string{`"mail"`, "order/placed", "order/paid", "wiring_test.go:"}},
		"one middleware for two": {func(b *eventbus.Bus, c *durable.Client[*sql.Tx]) {
			mw := c.Reaction("mail")
			b.Register("order", "placed", ok, mw)
			b.Register("order", "paid", ok, mw)
		}, []string{`"mail"`, "order/placed", "order/paid"}},
		"an alias that is a name": {func(b *eventbus.Bus, c *durable.Client[*sql.Tx]) {
			b.Register("order", "placed", ok, c.Reaction("mail"))
			b.Register("order", "paid", ok, c.Reaction("letter", "mail"))
		}, []string{`"mail"`}},
		"a name that is an alias": {func(b *eventbus.Bus, c *durable.Client[*sql.Tx]) {
			b.Register("order", "placed", ok, c.Reaction("letter", "mail"))
			b.Register("order", "paid", ok, c.Reaction("mail"))
		}, []string{`"mail"`}},
		"an empty name":  {func(_ *eventbus.Bus, c *durable.Client[*sql.Tx]) { c.Reaction("") }, []string{"empty"}},
		"an empty alias": {func(_ *eventbus.Bus, c *durable.Client[*sql.Tx]) { c.Reaction("mail", "") }, []string{"empty", `"mail"`}},
		"two other names": {func(b *eventbus.Bus, c *durable.Client[*sql.Tx]) {
			b.Register("order", "placed", ok, c.Reaction("mail", "letter"))
			b.Register("order", "placed", ok, c.Reaction("audit"))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				got := recover()
				if (got == nil) != (tt.want == nil) {
					t.Errorf("panic %v", got)
				}
				for _, part := range tt.want {
					if !strings.Contains(fmt.Sprint(got), part) {
						t.Errorf("%q doesn't say %s", got, part)
					}
				}
			}()
			tt.wire(eventbus.New(nil), e.client(t, nil))
		})
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	workers := river.NewWorkers()
	if _, err := durable.New(e.driver, &durable.Options{River: river.Config{Workers: workers}}); err != nil {
		t.Error(err)
	}
	if _, err := durable.New(e.driver, &durable.Options{River: river.Config{Workers: workers}}); err == nil || !strings.Contains(err.Error(), "another client") {
		t.Errorf("the workers of another client: %v", err)
	}
	if _, err := durable.New(e.driver, &durable.Options{River: river.Config{MaxAttempts: -1}}); err == nil || !strings.Contains(err.Error(), "MaxAttempts") {
		t.Errorf("what River refuses: %v", err)
	}
	if _, err := durable.New(e.driver, nil); err != nil {
		t.Errorf("no options: %v", err)
	}
}

// Whoever only dispatches has no queues, and says so by an empty map.
func TestAnInsertOnlyClientDoesNotStart(t *testing.T) {
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	c := e.client(t, &durable.Options{River: river.Config{Queues: map[string]river.QueueConfig{}}})
	if err := c.Start(t.Context()); err == nil {
		t.Error("started")
	}
}

func TestWithoutTables(t *testing.T) {
	e, closeDB, err := newSQLite(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeDB)
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, c.Reaction("mail"))
	err = e.run(t.Context(), func(ctx context.Context) error { return bus.Call(ctx, placed) })
	if err == nil || !strings.Contains(err.Error(), "river_job") {
		t.Errorf("dispatch: %v", err)
	}
	if _, err := c.Count(t.Context(), durable.Filter{}); err == nil {
		t.Error("count: no error")
	}
	for _, err := range c.List(t.Context(), durable.Filter{}) {
		if err == nil {
			t.Error("list: no error")
		}
	}
	if _, err := c.Purge(t.Context(), 0); err == nil {
		t.Error("purge: no error")
	}
	if _, err := c.Retry(t.Context(), durable.Filter{ID: 1}); err == nil {
		t.Error("retry: no error")
	}
	for range 2 {
		if err := c.Migrate(t.Context()); err != nil {
			t.Errorf("migrate: %v", err)
		}
	}
}

// Not parallel: it replaces slog's default logger.
func TestTheDefaultLogger(t *testing.T) {
	var log logbook
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	c, err := durable.New(e.driver, nil)
	if err != nil {
		t.Fatal(err)
	}
	start(t, c)
	if _, err := c.River().Insert(t.Context(), stranger{}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is logged", func() bool { return log.has(`"level":"ERROR"`, "no reaction of that name", `"reaction":"who"`) })
}

// stranger is a reaction that nobody knows.
type stranger struct {
	Reaction string `json:"reaction"`
}

func (stranger) Kind() string                 { return "eventbus_reaction" }
func (stranger) MarshalJSON() ([]byte, error) { return []byte(`{"reaction": "who"}`), nil }

// River's own defaults lose what was given up after a day or a week, and let an
// hour pass before the dead count as dead.
func TestDefaults(t *testing.T) {
	t.Parallel()
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	c, bus := e.client(t, nil), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("mail"))
	for i, state := range []string{
		"state = 'completed', finalized_at = datetime('now', '-30 days')",
		"state = 'discarded', finalized_at = datetime('now', '-30 days')",
		"state = 'cancelled', finalized_at = datetime('now', '-30 days')",
		"state = 'running', attempt = 1, attempted_at = datetime('now', '-6 minutes')",
		"state = 'running', attempt = 1, attempted_at = datetime('now', '-4 minutes')",
	} {
		e.dispatch(t, bus, numbered(i))
		if err := e.exec(t.Context(), "UPDATE river_job SET "+state+" WHERE state = 'available'"); err != nil {
			t.Fatal(err)
		}
	}
	start(t, c)
	eventually(t, "the first is cleaned away and the fourth has run", func() bool {
		return len(list(t, c, durable.Filter{States: []durable.State{durable.Done}})) == 1 && len(got.get()) == 1
	})
	want := map[string]durable.State{"1": durable.GivenUp, "2": durable.GivenUp, "3": durable.Done, "4": durable.Running}
	states := map[string]durable.State{}
	for _, job := range list(t, c, durable.Filter{}) {
		states[string(job.Event.RawParams)] = job.State
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
