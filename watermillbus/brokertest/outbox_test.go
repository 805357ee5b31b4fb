package brokertest

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"example.com/eventbus/metadata"
	"example.com/eventbus/txn"
	"example.com/eventbus/watermillbus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite"
)

var full = flag.Bool("full", false, "prove it in full: 10,000 events through the outbox")

// Forward behind a reaction is an outbox: the server goes away twice while events
// are dispatched, each in a transaction, and comes back on its port with what it
// had stored. The dispatch never fails and every event arrives.
//
// Some are forwarded more than once, with the same id: JetStream drops those that
// it remembers, and the test counts what is delivered again all the same. Nor
// is there an order, not even of one key: reactions run side by side, and one that
// is tried again comes behind those that were stored after it. The test counts
// that too.
func TestOutbox(t *testing.T) {
	const keys = 10
	events := 1000
	if *full {
		events = 10_000
	}
	s := newNATS(t).(*natsServer)
	s.start(t)
	js, err := s.connect(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	// What was delivered and whose ack got lost comes again after a second, not
	// after JetStream's thirty.
	consumer, err := js.ConsumerInfo("events", "mailer-events")
	if err != nil {
		t.Fatal(err)
	}
	consumer.Config.AckWait = time.Second
	if _, err := js.UpdateConsumer("events", &consumer.Config); err != nil {
		t.Fatal(err)
	}

	in := inbox{t: t, ids: map[order]string{}, last: map[int]int{}}
	mailer := eventbus.New(nil)
	eventbus.On(mailer, "order", "placed", in.add)
	route(t, s, mailer.Call)

	db, client := openReactions(t)
	var failed, unsure atomic.Int64
	count := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			err := next(ctx, data)
			if err != nil {
				failed.Add(1)
			} else if job, _ := durable.From(ctx); job.Attempt == 1 && job.ID%50 == 0 {
				unsure.Add(1)
				err = errors.New("the process died before this was noted")
			}
			return err
		}
	}
	shop := eventbus.New(nil)
	shop.Register("order", "placed",
		watermillbus.Forward(s.publisher(t), "events", &watermillbus.Options{
			Identify: func(ctx context.Context, _ eventbus.Data) (string, time.Time) {
				job, _ := durable.From(ctx)
				return job.Key, job.Time
			},
		}),
		client.Reaction("forward to the mailer"), count)
	if err := client.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	states := func() map[durable.State]int {
		n, err := client.Count(t.Context(), durable.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	var stopping sync.WaitGroup
	goAway := func() {
		eventually(t, "events have arrived", func() bool { return in.events() > 0 })
		stopping.Go(func() { s.stop(t) }) // while the dispatch goes on
	}
	comeBack := func() {
		stopping.Wait()
		n := failed.Load()
		eventually(t, "a forward has failed", func() bool { return failed.Load() > n })
		t.Logf("the server returns: %d events have arrived, reactions %v", in.events(), states())
		s.start(t)
	}
	begin := time.Now()
	for i := range events {
		switch i {
		case events / 4, 3 * events / 4:
			goAway()
		case events / 2:
			comeBack()
		}
		if err := txn.Run(t.Context(), db, nil, func(ctx context.Context) error {
			return shop.Call(ctx, eventbus.MustData("order", "placed", order{i % keys, i / keys}))
		}); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	dispatched := time.Since(begin)
	comeBack()

	eventually(t, "all are forwarded", func() bool { return states()[durable.Done] == events })
	eventually(t, "all are acked", func() bool {
		c, err := js.ConsumerInfo("events", "mailer-events")
		return err == nil && c.NumPending == 0 && c.NumAckPending == 0
	})
	stream, err := js.StreamInfo("events")
	if err != nil {
		t.Fatal(err)
	}
	if n := in.events(); n != events {
		t.Errorf("%d of %d events have arrived", n, events)
	}
	t.Logf("%d events: dispatched in %v, all acked after %v; %d forwards failed, %d succeeded and were done again; twice in the stream: %d, delivered again: %d, later than a younger one of its key: %d",
		events, dispatched.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond),
		failed.Load(), unsure.Load(), int(stream.State.Msgs)-events, in.again, in.overtaken)
}

func openReactions(t *testing.T) (*sql.DB, *durable.Client[*sql.Tx]) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "shop.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	closeAtEnd(t, db)
	client, err := durable.New(riversqlite.New(db), &durable.Options{
		// River's own policy waits longer with each attempt, and so needs few of them.
		InsertOpts: func(string, eventbus.Data) *river.InsertOpts { return &river.InsertOpts{MaxAttempts: 10_000} },
		River: river.Config{
			Logger:            slog.New(slog.DiscardHandler),
			FetchCooldown:     time.Millisecond,
			FetchPollInterval: 20 * time.Millisecond,
			RetryPolicy:       soon{},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, client
}

type soon struct{}

func (soon) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Second) }

// eventually waits for ok, which a slow machine may take long for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(4 * patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// inbox is what has arrived.
type inbox struct {
	t                *testing.T
	mu               sync.Mutex
	ids              map[order]string
	last             map[int]int // the youngest event of a key
	again, overtaken int
}

func (in *inbox) add(ctx context.Context, o order) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	id := metadata.Get(ctx, watermillbus.IDKey)
	if first, ok := in.ids[o]; ok {
		in.again++
		if id != first {
			in.t.Errorf("order %v has come with the ids %s and %s", o, first, id)
		}
		return nil
	}
	in.ids[o] = id
	if o.N < in.last[o.Key] {
		in.overtaken++
	}
	in.last[o.Key] = max(in.last[o.Key], o.N)
	return nil
}

func (in *inbox) events() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.ids)
}
