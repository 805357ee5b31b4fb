package eventbustest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"example.com/eventbus"
)

// ReadOnly returns a middleware that fails the test when a handler writes to the RawParams
// it was given, which all handlers share, and says which one did. Given to eventbus.New it
// watches each handler; to Bus.Intercept, each dispatch as a whole.
//
// Each run gets a copy of its own, so that a writer harms no other. The copy is looked at
// when the handler returns, and again at the end of the test, for what it left behind.
// An append that would have grown into memory behind the params counts as writing.
func ReadOnly(tb testing.TB) eventbus.Middleware {
	tb.Helper()
	w := &watch{tb: tb}
	tb.Cleanup(w.end)
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			if len(data.RawParams) == 0 {
				return next(ctx, data)
			}
			const room = 16
			n := len(data.RawParams)
			mine := append(make([]byte, 0, n+room), data.RawParams...)
			l := loan{h, eventbus.Data{Domain: data.Domain, Action: data.Action, RawParams: mine}, slices.Clone(mine[:n+room])}
			defer w.returned(l) // also when next panics
			return next(ctx, l.data)
		}
	}
}

// loan is a copy of params that a handler has, and what it looked like.
type loan struct {
	handler eventbus.Handler
	data    eventbus.Data
	before  []byte
}

type watch struct {
	tb    testing.TB
	mu    sync.Mutex
	ended bool
	out   []loan
}

func (w *watch) returned(l loan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended && w.clean(l, "") {
		w.out = append(w.out, l)
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, l := range w.out {
		w.clean(l, " after it had returned")
	}
}

// clean reports whether nobody wrote to l, and fails the test if somebody did.
func (w *watch) clean(l loan, when string) bool {
	n := len(l.data.RawParams)
	now := l.data.RawParams[:cap(l.data.RawParams)]
	switch {
	case !bytes.Equal(now[:n], l.before[:n]):
		w.tb.Errorf("eventbustest: handler %s, registered at %s, wrote to the RawParams of %v%s:\n\twas %s\n\tis  %s",
			l.handler.Name, l.handler.Source, l.data, when, l.before[:n], now[:n])
	case !bytes.Equal(now, l.before):
		w.tb.Errorf("eventbustest: handler %s, registered at %s, appended to the RawParams of %v%s, in memory that others may share; clone them first",
			l.handler.Name, l.handler.Source, l.data, when)
	default:
		return true
	}
	return false
}

// Logger returns a logger that writes to the log of the test, as tb.Log does: as text, from
// Debug up, without the time. What is logged after the test is dropped.
func Logger(tb testing.TB) *slog.Logger {
	tb.Helper()
	w := &output{out: tb.Output()}
	tb.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// output is a test's output for as long as the test runs.
type output struct {
	mu  sync.Mutex
	out io.Writer
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(line)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out = io.Discard
}
