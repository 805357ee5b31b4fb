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
// job with the same typed payload on the same database: "ratio", the median of
// rounds that alternate.
func BenchmarkOverRiver(b *testing.B) {
	b.Run("insert/SQLite", func(b *testing.B) { compareInsert(b, openSQLite(b, filepath.Join(b.TempDir(), "test.db"))) })
	b.Run("insert/PostgreSQL", func(b *testing.B) { compareInsert(b, openPostgres(b)) })
	b.Run("work/SQLite", func(b *testing.B) { compareWork(b, openSQLite(b, filepath.Join(b.TempDir(), "test.db"))) })
	b.Run("work/PostgreSQL", func(b *testing.B) { compareWork(b, openPostgres(b)) })
}

// order is the payload: the arguments of the plain job, the params of the event.
type order struct {
	ID       int    `json:"id"`
	Customer string `json:"customer"`
	Lines    []line `json:"lines"`
}

type line struct {
	SKU string `json:"sku"`
	N   int    `json:"n"`
}

func (order) Kind() string { return "plain" }

var benchOrder = order{1234567, "ann@example.org", []line{{"A-1", 2}}}

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
	river.AddWorker(cfg.Workers, river.WorkFunc(func(context.Context, *river.Job[order]) error { done(); return nil }))
	plain, err := river.NewClient(e.driver, &cfg)
	if err != nil {
		b.Fatal(err)
	}
	opts := river.InsertOpts{Queue: "durable"}
	c := e.client(b, &durable.Options{River: config("durable"), InsertOpts: func(string, eventbus.Data) *river.InsertOpts { return &opts }})
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "placed", func(context.Context, order) error { done(); return nil }, c.Reaction("mail"))
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
				_, err := plain.InsertTx(ctx, mustTx[TTx](ctx), benchOrder, &opts)
				return err
			})
		},
		func() time.Duration {
			return round(func(ctx context.Context) error {
				return bus.Call(ctx, eventbus.MustData("order", "placed", benchOrder))
			})
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
				_, err := plain.InsertTx(ctx, mustTx[TTx](ctx), benchOrder, &opts)
				return err
			})
		},
		func() time.Duration {
			return round(c.River(), func(ctx context.Context) error {
				return bus.Call(ctx, eventbus.MustData("order", "placed", benchOrder))
			})
		})
}

func compare(b *testing.B, plain, ours func() time.Duration) {
	b.Helper()
	var ps, os, ratios []float64
	for first := true; b.Loop(); first = !first { // the tables grow: each goes first in turn
		var p, o time.Duration
		if first {
			p, o = plain(), ours()
		} else {
			o, p = ours(), plain()
		}
		ps, os = append(ps, float64(p)/1e3), append(os, float64(o)/1e3)
		ratios = append(ratios, float64(o)/float64(p))
	}
	for unit, all := range map[string][]float64{"river-µs": ps, "durable-µs": os, "ratio": ratios} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
	b.ReportMetric(0, "ns/op")
}
