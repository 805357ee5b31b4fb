package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"example.com/eventbus/metadata"
)

// reactions returns the client that stores reactions in db and runs them, again
// when retry says where they fail; nil is River's default.
func reactions(db *sql.DB, log *slog.Logger, retry river.ClientRetryPolicy) (*durable.Client[*sql.Tx], error) {
	return durable.New(riversqlite.New(db), &durable.Options{
		AutoCommit: true, // billing/refunded follows a commit and has no transaction
		River: river.Config{
			Logger: log,
			// One worker takes them in the order in which they were stored: mail knows
			// an address from the user's first event on.
			Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}},
			FetchCooldown:     time.Millisecond,
			FetchPollInterval: 5 * time.Millisecond,
			RetryPolicy:       retry,
		},
	})
}

// later is a river.ClientRetryPolicy: a mailbox that is full now isn't empty in a
// second.
type later struct{}

func (later) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(time.Duration(job.Attempt) * 10 * time.Minute)
}

// durably makes what wire registers reactions that client stores. They are named
// prefix and the event, as in "mail order/placed", and run wraps each run. The
// package that wire belongs to notices nothing: it gets a bus of its own, which
// has the events from bus and gives none back.
func durably(bus *eventbus.Bus, client *durable.Client[*sql.Tx], prefix string, run eventbus.Middleware, wire func(*eventbus.Bus)) {
	own := eventbus.New(nil, func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		// A second handler of one event panics here, for the name is taken.
		return client.Reaction(prefix+" "+h.Domain+"/"+h.Action)(h, run(h, next))
	})
	wire(own)
	for h := range own.Handlers() {
		h.Name = "store " + h.Name
		bus.Handle(h, own.Publish)
	}
}

// lineKey is the metadata that tells a reaction which line of the input set it
// off, in whatever process and however much later it runs.
const lineKey = "line"

// runs are the spans of the reactions that ran, in that order.
type runs struct {
	mu  sync.Mutex
	all []*span
}

// trace is trace for a reaction's run, which has no dispatch around it.
func (r *runs) trace(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, data eventbus.Data) error {
		ctx, s := start(ctx, fmt.Sprintf("line %s: %s", metadata.Get(ctx, lineKey), h.Name))
		err := next(ctx, data)
		s.end(err)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, s)
		return err
	}
}

func (r *runs) spans() []*span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// settle waits until every reaction that is stored has run, the mailer's too, and
// returns how many here have failed and wait for another time.
func (s *shop) settle(ctx context.Context) (failed int, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := s.reactions.Count(ctx, durable.Filter{})
		if err != nil {
			return 0, err
		}
		if n[durable.Waiting]+n[durable.Running] == 0 {
			if s.remote != nil {
				err = s.remote.settle(ctx)
			}
			return n[durable.Retrying] + n[durable.GivenUp], err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
