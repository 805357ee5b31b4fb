package durable_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"github.com/riverqueue/river"
)

var full = flag.Bool("full", false, "prove it in full: 200 kills, 10,000 reactions")

// scale returns the size of a proof.
func scale(short, long int) int {
	if *full {
		return long
	}
	return short
}

// A child is this test binary again, in one of these roles.
const (
	ordersRole = "orders" // takes orders on SQLite until it is killed
	drainRole  = "drain"  // runs reactions on PostgreSQL until it is told to stop
)

// startChild starts a child, which ends with the test at the latest: it reads
// its standard input to the end.
func startChild(t *testing.T, role, where string) (child *exec.Cmd, stdin io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DURABLE_TEST_CHILD="+role, "DURABLE_TEST_WHERE="+where)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in
}

func child(role string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	where := os.Getenv("DURABLE_TEST_WHERE")
	var err error
	switch role {
	case ordersRole:
		err = takeOrders(ctx, where)
	case drainRole:
		err = drain(ctx, where)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

var errChangedMind = errors.New("the customer changed his mind")

// shop wires two reactions to order/placed that note their runs in a file, as a
// reaction that calls others would.
func shop(e *engine[*sql.Tx], dir string, opts *durable.Options) (*durable.Client[*sql.Tx], *eventbus.Bus, error) {
	c, err := durable.New(e.driver, quick(*opts))
	if err != nil {
		return nil, nil, err
	}
	ran, err := os.OpenFile(filepath.Join(dir, "ran"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	bus := eventbus.New(nil)
	for _, name := range []string{"mail", "audit"} {
		eventbus.On(bus, "order", "placed", func(_ context.Context, id int64) error {
			_, err := fmt.Fprintln(ran, name, id)
			return err
		}, c.Reaction(name))
	}
	return c, bus, nil
}

func takeOrders(ctx context.Context, dir string) error {
	e, _, err := newSQLite(filepath.Join(dir, "test.db"))
	if err != nil {
		return err
	}
	c, bus, err := shop(e, dir, &durable.Options{River: river.Config{JobTimeout: time.Second, RescueStuckJobsAfter: time.Second}})
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	for range time.Tick(4 * time.Millisecond) {
		id := rand.Int64()
		err := e.run(ctx, func(ctx context.Context) error {
			if err := e.exec(ctx, "INSERT INTO orders VALUES ($1)", id); err != nil {
				return err
			}
			if err := bus.Call(ctx, eventbus.MustData("order", "placed", id)); err != nil {
				return err
			}
			if id%3 == 0 {
				return errChangedMind
			}
			return nil
		})
		if err != nil && !errors.Is(err, errChangedMind) {
			return err
		}
	}
	return nil
}

func TestProofKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := openSQLite(t, filepath.Join(dir, "test.db"))
	kills := scale(20, 200)
	for range kills {
		cmd, in := startChild(t, ordersRole, dir)
		<-time.After(rand.N(500 * time.Millisecond)) // any moment
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal("the child died before: ", err)
		}
		_ = cmd.Wait()
		_ = in.Close()
		if cmd.ProcessState.Exited() {
			t.Fatal("the child ended by itself: ", cmd.ProcessState)
		}
	}
	killed := time.Now()
	const stuck = time.Second
	c, _, err := shop(e, dir, &durable.Options{River: river.Config{JobTimeout: stuck, RescueStuckJobsAfter: stuck}})
	if err != nil {
		t.Fatal(err)
	}
	running := counts(t, c, durable.Filter{})[durable.Running]
	// The dead leader's lease lasts 15 s, and a leader looks for the dead every 30.
	eventually(t, "the dead count as dead", func() bool { return time.Since(killed) > stuck })
	if err := e.exec(t.Context(), "DELETE FROM river_leader"); err != nil {
		t.Fatal(err)
	}
	start(t, c)
	eventually(t, "all done", func() bool {
		got := counts(t, c, durable.Filter{})
		delete(got, durable.Done)
		return len(got) == 0
	})

	runs := map[string]int{}
	file, err := os.Open(filepath.Join(dir, "ran"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		runs[lines.Text()]++
	}
	_ = file.Close()
	orders, err := e.number(t.Context(), "SELECT count(*) FROM orders")
	if err != nil {
		t.Fatal(err)
	}
	duplicates, strangers := 0, 0
	for line, n := range runs {
		_, id, _ := strings.Cut(line, " ")
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if committed, err := e.number(t.Context(), "SELECT count(*) FROM orders WHERE id = $1", number); err != nil {
			t.Fatal(err)
		} else if committed == 0 {
			strangers++
		}
		duplicates += n - 1
	}
	if strangers > 0 {
		t.Errorf("%d reactions ran of orders that were rolled back", strangers)
	}
	if lost := 2*orders - (len(runs) - strangers); lost != 0 || orders == 0 {
		t.Errorf("%d reactions of %d orders never ran", lost, orders)
	}
	t.Logf("%d kills, %d orders committed, %d reactions; %d were under way when their process died; %d ran twice",
		kills, orders, len(runs), running, duplicates)
}

func drain(ctx context.Context, url string) error {
	e, closePool, err := newPostgres(ctx, url)
	if err != nil {
		return err
	}
	defer closePool()
	c, err := durable.New(e.driver, quick(durable.Options{River: river.Config{FetchCooldown: 20 * time.Millisecond, FetchPollInterval: time.Second}}))
	if err != nil {
		return err
	}
	bus, pid := eventbus.New(nil), os.Getpid()
	bus.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error {
		return e.exec(ctx, "INSERT INTO ran VALUES ($1, $2)", string(d.RawParams), pid)
	}, c.Reaction("mail"))
	if err := c.Start(ctx); err != nil {
		return err
	}
	if err := e.exec(ctx, "INSERT INTO ready VALUES ($1)", pid); err != nil {
		return err
	}
	<-ctx.Done()
	<-c.River().Stopped()
	return nil
}

func TestProofThreeProcesses(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).database(t)
	e := connect(t, url)
	for _, table := range []string{"ran (number text, pid integer)", "ready (pid integer)"} {
		if err := e.exec(t.Context(), "CREATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, c.Reaction("mail"))
	number := func(query string) int {
		n, err := e.number(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 3 {
		cmd, in := startChild(t, drainRole, url)
		t.Cleanup(func() {
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all three are ready", func() bool { return number("SELECT count(*) FROM ready") == 3 })

	total, began := scale(1000, 10_000), time.Now()
	for first := 0; first < total; first += 100 {
		var batch []eventbus.Data
		for i := range 100 {
			batch = append(batch, numbered(first+i))
		}
		e.dispatch(t, bus, batch...)
	}
	eventually(t, "all done", func() bool { return counts(t, c, durable.Filter{})[durable.Done] == total })
	took := time.Since(began)
	if n := number("SELECT count(DISTINCT number) FROM ran"); n != total {
		t.Errorf("%d of %d ran", n, total)
	}
	if n := number("SELECT count(*) FROM ran"); n != total {
		t.Errorf("%d runs of %d", n, total)
	}
	if n := number("SELECT count(DISTINCT pid) FROM ran"); n != 3 {
		t.Errorf("%d of 3 processes took part", n)
	}
	least := number("SELECT min(n) FROM (SELECT count(*) AS n FROM ran GROUP BY pid) AS shares")
	most := number("SELECT max(n) FROM (SELECT count(*) AS n FROM ran GROUP BY pid) AS shares")
	t.Logf("%d reactions by 3 processes in %v, none lost, none twice; the least busy ran %d, the busiest %d",
		total, took.Round(10*time.Millisecond), least, most)
}

func TestProofDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	sharedServer(t) // skips where there is none
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	e := connect(t, s.url("postgres"))
	c, bus := e.client(t, &durable.Options{River: river.Config{JobTimeout: time.Second, RescueStuckJobsAfter: time.Second}}), eventbus.New(nil)
	var got runs
	bus.Register("order", "placed", got.handle(nil), c.Reaction("mail"))
	start(t, c)
	ran := func() int {
		seen := map[string]bool{}
		for _, job := range got.get() {
			seen[string(job.Event.RawParams)] = true
		}
		return len(seen)
	}
	const half = 100
	committed, refused := 0, 0
	for i := range 2 * half {
		if i == half {
			s.stop()
		}
		err := e.run(t.Context(), func(ctx context.Context) error { return bus.Call(ctx, numbered(i)) })
		if err == nil {
			committed++
		} else {
			refused++
		}
		if i == half+10 {
			if refused == 0 {
				t.Error("no error without a database")
			}
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "all that was committed ran", func() bool { return ran() == committed })
	t.Logf("%d dispatches committed, %d refused while the server was away; %d runs", committed, refused, len(got.get()))
}

// What the producer wrote goes with the reaction that can't be stored.
func TestDatabaseRefusesToWrite(t *testing.T) {
	large := eventbus.Data{Domain: "order", Action: "placed", RawParams: make([]byte, 1<<20)}
	for name, tt := range map[string]struct{ statement, want string }{
		"full disk": {"PRAGMA max_page_count = 1", "full"}, // as small as it is now
		"read-only": {"PRAGMA query_only = 1", "readonly"},
	} {
		t.Run("SQLite "+name, func(t *testing.T) {
			refuse(t, openSQLite(t, filepath.Join(t.TempDir(), "test.db")), tt.statement, large, tt.want)
		})
	}
	t.Run("PostgreSQL read-only", func(t *testing.T) {
		refuse(t, openPostgres(t), "SET TRANSACTION READ ONLY", placed, "read-only")
	})
}

func refuse[TTx any](t *testing.T, e *engine[TTx], statement string, data eventbus.Data, want string) {
	t.Helper()
	c, bus := e.client(t, nil), eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, c.Reaction("mail"))
	err := e.run(t.Context(), func(ctx context.Context) error {
		if err := e.exec(ctx, "INSERT INTO orders VALUES (1)"); err != nil {
			return err
		}
		if err := e.exec(ctx, statement); err != nil {
			return err
		}
		return bus.Call(ctx, data)
	})
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `order/placed: handler`) || !strings.Contains(err.Error(), `store reaction "mail"`) {
		t.Errorf("error %q", err)
	}
	if n, err := e.number(t.Context(), "SELECT count(*) FROM orders"); n != 0 || err != nil {
		t.Errorf("%d orders are left, %v", n, err)
	}
}
