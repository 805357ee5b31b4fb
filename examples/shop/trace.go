package main

import (
	"context"
	"errors"
	"time"

	"example.com/eventbus"
)

// span is a command, a dispatch or a handler: how long it took, how it ended and
// what it set off.
type span struct {
	label    string
	event    bool // a dispatch
	began    time.Time
	took     time.Duration
	err      error
	children []*span
}

type spanKey struct{}

// start begins a span under that of ctx, if there is one. The bus runs all on
// one goroutine; a handler that starts others would need a lock here.
func start(ctx context.Context, label string) (context.Context, *span) {
	s := &span{label: label, began: time.Now()}
	if parent, ok := ctx.Value(spanKey{}).(*span); ok {
		parent.children = append(parent.children, s)
	}
	return context.WithValue(ctx, spanKey{}, s), s
}

func (s *span) end(err error) { s.took, s.err = time.Since(s.began), err }

// trace makes a span of every dispatch and of every handler: it is the
// eventbus.Middleware for New and for Intercept.
func trace(h eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, data eventbus.Data) error {
		label, event := h.Name, h.Domain == "" // an interceptor's Handler is Call or Publish
		if event {
			label += " " + data.String()
		}
		ctx, s := start(ctx, label)
		s.event = event
		err := next(ctx, data)
		s.end(err)
		return err
	}
}

// culprit reports whether the error of s is its own, and not passed on from what
// it set off.
func (s *span) culprit() bool {
	for _, c := range s.children {
		if c.err != nil && errors.Is(s.err, c.err) {
			return false
		}
	}
	return s.err != nil
}
