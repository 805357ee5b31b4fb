package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
		for _, n := range []int{1, 2, 300} {
			if l.unit > 1 && n > 2 {
				break
			}
			if took := w.do(n); took <= 0 {
				t.Errorf("%d times took %v", n, took)
			}
			want += int64(n * l.handlers)
			if got := calls.Load(); got != want {
				t.Fatalf("%d handlers were called, want %d", got, want)
			}
		}
		for deadline := time.Now().Add(time.Minute); w.changes != nil && w.changes.Load() == 0; w.do(300) {
			if time.Now().After(deadline) {
				t.Fatal("nobody registered meanwhile")
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
			if slices.Contains(c.absent, "d1000") {
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

// What the report says of given measurements: each contestant takes its place in
// the list times as long as the floor in every lane, but not in (h).
func TestReport(t *testing.T) {
	r := results{ns: map[cell][]float64{}, changes: 1999.6}
	for i, c := range contestants {
		for _, l := range lanes() {
			if slices.Contains(c.absent, l.name) {
				continue
			}
			for _, floor := range []float64{20, 1000, 30} { // the machine was busy once
				ns := floor * float64(i+1)
				if l.name == "h" {
					ns *= 1.6
				}
				r.ns[cell{l.name, c.name}] = append(r.ns[cell{l.name, c.name}], ns)
			}
		}
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{
		"| lane | floor, ns | eventbus | eventbus, log off | eventbus, wildcard | usual |",
		"| (a) 1 handler | 30.0 | 2.00 | 3.00 | 4.00 | 5.00 | 6.00 | 7.00 | 8.00 | 9.00 |",
		"| (d10000) 1 handler, each of 10,000 pairs in turn | 30.0 | 2.00 | 3.00 | 4.00 | 5.00 | 6.00 | 7.00 | 8.00 | – |",
		"In (h) 2000 registrations came and went in a second.",
		"tailscale eventbus can't take part in (d1000), ",
		"| (a) the floor | ≤ 2 × | 2.00 × | met |",
		"| (a) the floor, a wish | ≤ 1.5 × | 2.00 × | not met |",
		"| (a) faster than the usual bus | ≥ 2 × | 2.50 × | met |",
		"| (a) faster than cskr/pubsub | ≥ 1 × | 4.00 × | met |",
		"| (c100) the floor | ≤ 1.3 × | 2.00 × | not met |",
		"| (e) throughput of one core | ≥ 1.8 × | 1.00 × (the floor: 1.00 ×) | not met |",
		"| (h) of its own (e) | ≤ 1.5 × | 1.60 × (the floor: 1.60 ×) | not met |",
		"| (g10000) of its own (g100) | ≤ 3 × | 1.00 × | met |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}

	svg := r.draw()
	var texts []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is not XML: %v\n%s", err, svg)
		}
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
	for _, l := range drawnLanes {
		if !slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, "("+l+") ") }) {
			t.Errorf("the picture lacks lane (%s)", l)
		}
	}
	for _, want := range []string{theBus, "2.00 ×", "7.00 ×", "can't take part"} {
		if !slices.Contains(texts, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
}

func TestShort(t *testing.T) {
	for x, want := range map[float64]string{1: "1.00", 9.996: "10.0", 99.96: "100", 1063.4: "1,063", 1234567: "1,234,567"} {
		if got := short(x); got != want {
			t.Errorf("short(%v) = %q, want %q", x, got, want)
		}
	}
}

func each[TB interface {
	*testing.T | *testing.B
	Run(string, func(TB)) bool
}](tb TB, f func(TB, lane, contestant)) {
	for _, l := range lanes() {
		tb.Run("lane="+l.name, func(tb TB) {
			for _, c := range contestants {
				if !slices.Contains(c.absent, l.name) {
					tb.Run("bus="+c.name, func(tb TB) { f(tb, l, c) })
				}
			}
		})
	}
}
