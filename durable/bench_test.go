package durable_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"github.com/riverqueue/river"
)

// BenchmarkOverRiver reports what a reaction costs as a multiple of a plain River
// job with the same payload on the same database: "ratio", of the medians of
// alternating rounds.
func BenchmarkOverRiver(b *testing.B) {
	b.Run("insert/SQLite", func(b *testing.B) { compareInsert(b, openSQLite(b, filepath.Join(b.TempDir(), "test.db"))) })
	b.Run("insert/PostgreSQL", func(b *testing.B) { compareInsert(b, openPostgres(b)) })
	b.Run("work/SQLite", func(b *testing.B) { compareWork(b, openSQLite(b, filepath.Join(b.TempDir(), "test.db"))) })
	b.Run("work/PostgreSQL", func(b *testing.B) { compareWork(b, openPostgres(b)) })
}

type plainArgs struct {
	Params []byte `json:"params"`
}

func (plainArgs) Kind() string { return "plain" }

var benchData = eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte(`{"id":1234567,"customer":"ann@example.org","lines":[{"sku":"A-1","n":2}]}`)}

// contestants returns a plain River client, and a Client, that call done in each
// run, on queues of their own.
func contestants[TTx any](b *testing.B, e *engine[TTx], done func()) (*river.Client[TTx], *durable.Client[TTx], *eventbus.Bus) {
	b.Helper()
	config := func(queue string) river.Config {
		return quick(durable.Options{River: river.Config{
			Queues: map[string]river.QueueConfig{queue: {MaxWorkers: 50}}, RescueStuckJobsAfter: time.Hour,
		}}).River
	}
	cfg := config("plain")
	cfg.Workers = river.NewWorkers()
	river.AddWorker(cfg.Workers, river.WorkFunc(func(context.Context, *river.Job[plainArgs]) error { done(); return nil }))
	plain, err := river.NewClient(e.driver, &cfg)
	if err != nil {
		b.Fatal(err)
	}
	opts := river.InsertOpts{Queue: "durable"}
	c := e.client(b, &durable.Options{River: config("durable"), InsertOpts: func(string, eventbus.Data) *river.InsertOpts { return &opts }})
	bus := eventbus.New(nil)
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { done(); return nil }, c.Reaction("mail"))
	return plain, c, bus
}

func compareInsert[TTx any](b *testing.B, e *engine[TTx]) {
	plain, _, bus := contestants(b, e, func() {})
	opts := river.InsertOpts{Queue: "plain"}
	round := func(insert func(context.Context) error) time.Duration {
		began := time.Now()
		for range 100 {
			if err := e.run(b.Context(), insert); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began) / 100
	}
	compare(b,
		func() time.Duration {
			return round(func(ctx context.Context) error {
				_, err := plain.InsertTx(ctx, mustTx[TTx](ctx), plainArgs{benchData.RawParams}, &opts)
				return err
			})
		},
		func() time.Duration {
			return round(func(ctx context.Context) error { return bus.Call(ctx, benchData) })
		})
}

func compareWork[TTx any](b *testing.B, e *engine[TTx]) {
	const jobs = 1000
	var n atomic.Int64
	first, last := make(chan time.Time, 1), make(chan bool, 1)
	plain, c, bus := contestants(b, e, func() {
		switch n.Add(1) {
		case 1:
			first <- time.Now()
		case jobs:
			last <- true
		}
	})
	opts := river.InsertOpts{Queue: "plain"}
	round := func(rc *river.Client[TTx], insert func(context.Context) error) time.Duration {
		n.Store(0)
		err := e.run(b.Context(), func(ctx context.Context) error {
			for range jobs {
				if err := insert(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = rc.Start(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		began := <-first
		<-last
		if err := rc.Stop(b.Context()); err != nil { // once all is recorded
			b.Fatal(err)
		}
		return time.Since(began) / jobs
	}
	compare(b,
		func() time.Duration {
			return round(plain, func(ctx context.Context) error {
				_, err := plain.InsertTx(ctx, mustTx[TTx](ctx), plainArgs{benchData.RawParams}, &opts)
				return err
			})
		},
		func() time.Duration {
			return round(c.River(), func(ctx context.Context) error { return bus.Call(ctx, benchData) })
		})
}

func compare(b *testing.B, plain, ours func() time.Duration) {
	b.Helper()
	var ps, os []time.Duration
	for b.Loop() {
		ps, os = append(ps, plain()), append(os, ours())
	}
	slices.Sort(ps)
	slices.Sort(os)
	p, o := ps[len(ps)/2], os[len(os)/2]
	b.ReportMetric(float64(o)/float64(p), "ratio")
	b.ReportMetric(float64(p.Microseconds()), "river-µs")
	b.ReportMetric(float64(o.Microseconds()), "durable-µs")
	b.ReportMetric(0, "ns/op")
}
