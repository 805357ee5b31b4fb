package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/lmittmann/tint"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/order"
)

// report prints what commands set off, and counts. Its lines are log records to
// tint, which gives them their colours: a command that was done is an Info, what
// failed an Error, and anything else a Debug.
type report struct {
	w   io.Writer
	log *slog.Logger

	done, refused, events, handlers, failed, panicked int
}

func newReport(w io.Writer, colours bool) *report {
	return &report{w: w, log: slog.New(tint.NewTextHandler(w, &tint.Options{
		Level:   slog.LevelDebug,
		NoColor: !colours,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey:
				return slog.Attr{}
			case slog.LevelKey:
				switch a.Value.Any() {
				case slog.LevelInfo:
					return tint.Attr(10, slog.String(a.Key, "✓"))
				case slog.LevelError:
					return tint.Attr(9, slog.String(a.Key, "✗"))
				}
				return slog.String(a.Key, " ")
			}
			return a
		},
	}))}
}

// command prints the command of a line and the tree of what it set off.
func (r *report) command(number int, s *span) {
	level := slog.LevelInfo
	if s.err == nil {
		r.done++
	} else {
		r.refused++
		level = slog.LevelError
	}
	r.line(level, fmt.Sprintf("line %d", number), s.label, s)
	r.tree(s.children, "")
	fmt.Fprintln(r.w)
}

// tree prints spans that have one parent, indented.
func (r *report) tree(spans []*span, indent string) {
	for i, s := range spans {
		branch, below := "├─ ", "│  "
		if i == len(spans)-1 {
			branch, below = "└─ ", "   "
		}
		level := slog.LevelDebug
		if s.err != nil {
			level = slog.LevelError
		}
		r.count(s)
		r.line(level, fmt.Sprintf("%.1fµs", float64(s.took.Nanoseconds())/1000), indent+branch+s.label, s)
		r.tree(s.children, indent+below)
	}
}

// line prints an error where it arose, not all the way up.
func (r *report) line(level slog.Level, left, right string, s *span) {
	text := fmt.Sprintf("%10s  %s", left, right)
	if s.culprit() {
		r.log.Log(context.Background(), level, text+" ", tint.Err(s.err))
		return
	}
	r.log.Log(context.Background(), level, text)
}

func (r *report) count(s *span) {
	if s.event {
		r.events++
		return
	}
	r.handlers++
	if s.culprit() {
		r.failed++
		if _, ok := errors.AsType[*eventbus.PanicError](s.err); ok {
			r.panicked++
		}
	}
}

func (r *report) summary(ctx context.Context, s *shop, bad int) error {
	users, err := s.users.Count(ctx)
	if err != nil {
		return err
	}
	orders, err := s.orders.CountByState(ctx)
	if err != nil {
		return err
	}
	row := func(name string, attrs ...any) { r.log.Debug(fmt.Sprintf("%10s ", name), attrs...) }
	row("commands", "done", r.done, "refused", r.refused, "bad_lines", bad)
	row("bus", "events", r.events, "handlers_run", r.handlers, "failed", r.failed, "panicked", r.panicked)
	row("users", "signed_up", users)
	row("orders", "placed", orders[order.StatePlaced], "shipped", orders[order.StateShipped], "cancelled", orders[order.StateCancelled], "pending", orders[order.StatePending])
	row("inventory", "mug", s.stock.Free("mug"), "pot", s.stock.Free("pot"), "tray", s.stock.Free("tray"))
	row("billing", "balance", fmt.Sprintf("€%d.%02d", s.ledger.Balance()/100, s.ledger.Balance()%100))
	row("mail", "sent", s.post.count())
	row("audit", "recorded", len(s.audit.Entries()))
	return nil
}
