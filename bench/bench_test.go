package main

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"example.com/eventbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Benchmark is what the command measures, for benchstat.
func Benchmark(b *testing.B) {
	each(b, func(b *testing.B, l lane, c contestant) {
		w := l.prepare(l, c, nothing)
		defer w.close()
		b.ResetTimer()
		took := w.do(b.N)
		b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*l.unit), "ns/op")
	})
}

// Each dispatch of each contestant has run all handlers when it returns.
func TestLanes(t *testing.T) {
	each(t, func(t *testing.T, l lane, c contestant) {
		var calls atomic.Int64
		w := l.prepare(l, c, func(context.Context, eventbus.Data) error {
			calls.Add(1)
			return nil
		})
		defer w.close()
		want := int64(0)
		for _, n := range []int{1, 1, 2, 1000} {
			if l.unit > 1 && n > 2 {
				continue
			}
			if took := w.do(n); took <= 0 {
				t.Errorf("%d times took %v", n, took)
			}
			want += int64(n * l.handlers)
			if got := calls.Load(); got != want {
				t.Fatalf("%d handlers were called, want %d", got, want)
			}
		}
	})
}

// The handlers of an event get that event, and no other's, in turn.
func TestDispatch(t *testing.T) {
	for _, c := range contestants {
		t.Run(c.name, func(t *testing.T) {
			b := c.start()
			defer b.close()
			some := events[:100]
			if _, absent := c.absent["d1000"]; absent {
				some = events[:1]
			}
			var got []string
			for _, e := range some {
				b.on(e, func(_ context.Context, d eventbus.Data) error {
					if d.Domain != e.Domain || d.Action != e.Action || string(d.RawParams) != string(e.RawParams) {
						t.Errorf("the handler of %v got %v with %q", e.Data, d, d.RawParams)
					}
					got = append(got, e.topic)
					return nil
				})
			}
			dispatch := b.dispatcher(some)
			dispatch(len(some) / 2)
			dispatch(len(some) - len(some)/2)
			var want []string
			for _, e := range some {
				want = append(want, e.topic)
			}
			if !slices.Equal(got, want) {
				t.Errorf("handlers ran for %v, want %v", got, want)
			}
		})
	}
}

// A handler that is off is called no more.
func TestOff(t *testing.T) {
	for _, c := range contestants {
		t.Run(c.name, func(t *testing.T) {
			b := c.start()
			defer b.close()
			calls := 0
			off := b.on(events[0], func(context.Context, eventbus.Data) error { calls++; return nil })
			b.dispatcher(events[:1])(1)
			off()
			b.dispatcher(events[:1])(1)
			if calls != 1 {
				t.Errorf("the handler was called %d times, want once", calls)
			}
		})
	}
}

func each[TB interface {
	*testing.T | *testing.B
	Run(string, func(TB)) bool
}](tb TB, f func(TB, lane, contestant)) {
	for _, l := range lanes() {
		tb.Run("lane="+l.name, func(tb TB) {
			for _, c := range contestants {
				if _, absent := c.absent[l.name]; !absent {
					tb.Run("bus="+c.name, func(tb TB) { f(tb, l, c) })
				}
			}
		})
	}
}
