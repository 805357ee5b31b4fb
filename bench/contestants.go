package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"

	"example.com/eventbus"
)

// event is a ready event under both kinds of name.
type event struct {
	eventbus.Data
	topic string // domain/action in one piece, for the peers whose topics are single strings
}

// bus is what a contestant has to be able to do.
type bus interface {
	// on registers fn for events of e's name. After off it is called no more.
	on(e event, fn eventbus.Func) (off func())

	// dispatcher returns a function that dispatches n of the events, in turn
	// and for ever round, each when all handlers of the one before are done.
	// It reads events anew each time, it goes for the handlers registered now,
	// and it serves one goroutine.
	dispatcher(events []event) func(n int)

	// close ends what goroutines the bus has and waits for them.
	close()
}

type contestant struct {
	name   string
	start  func() bus
	byName bool     // a peer that looks the topic up by its name
	fixed  bool     // nothing can be registered while events are dispatched
	absent []string // the lanes that it can't take part in
	why    string   // it can't
}

const (
	theFloor = "floor"
	theBus   = "eventbus"
	theUsual = "usual"
)

var contestants = []contestant{
	{name: theFloor, start: func() bus { return floor{} }, fixed: true},
	{name: theBus, start: func() bus { return ours{eventbus.New(nil)} }},
	{name: "eventbus, log off", start: func() bus { return ours{eventbus.New(offLog)} }},
	{name: "eventbus, wildcard", start: func() bus {
		b := eventbus.New(nil)
		b.Register(eventbus.Any, eventbus.Any, nothing)
		return ours{b}
	}},
	{name: theUsual, start: func() bus { return &usual{handlers: map[string]map[string][]*eventbus.Func{}} }},
	{name: "asaskevich/EventBus", start: newAsaskevich, byName: true},
	{name: "watermill gochannel", start: newWatermill, byName: true},
	{name: "cskr/pubsub", start: newCskr, byName: true},
	{
		name: "tailscale eventbus", start: newTailscale,
		absent: []string{"d1000", "d10000", "g100", "g10000"}, why: "its topics are Go types, and nobody declares that many",
	},
}

var offLog = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})) //nolint:sloglint // the level check of a usual handler is what is measured

// nothing is the handler of every lane but (f), so that the bus is all there is
// to measure.
func nothing(context.Context, eventbus.Data) error { return nil }

// The three fastest have the loop written out, without a call of a function
// value for each event, which would be a tenth of what there is to measure.

type ours struct{ *eventbus.Bus }

func (b ours) on(e event, fn eventbus.Func) (off func()) { return b.Register(e.Domain, e.Action, fn) }

func (b ours) dispatcher(events []event) func(n int) {
	next := 0
	return func(n int) {
		i := next
		for range n {
			check(b.Call(context.Background(), events[i].Data))
			if i++; i == len(events) {
				i = 0
			}
		}
		next = i
	}
}

func (ours) close() {}

// floor is the least there is to do: a look-up in a map that never changes, and
// the calls.
type floor map[name][]eventbus.Func

type name struct{ domain, action string }

func (b floor) call(ctx context.Context, data eventbus.Data) error {
	for _, fn := range b[name{data.Domain, data.Action}] {
		if err := fn(ctx, data); err != nil {
			return err
		}
	}
	return nil
}

func (b floor) on(e event, fn eventbus.Func) (off func()) {
	k := name{e.Domain, e.Action}
	b[k] = append(b[k], fn)
	return func() { b[k] = b[k][:len(b[k])-1] }
}

func (b floor) dispatcher(events []event) func(n int) {
	next := 0
	return func(n int) {
		i := next
		for range n {
			check(b.call(context.Background(), events[i].Data))
			if i++; i == len(events) {
				i = 0
			}
		}
		next = i
	}
}

func (floor) close() {}

// usual is the bus that people write themselves: a lock, a map of maps, and a
// copy of the handlers for each dispatch, so that none runs under the lock.
type usual struct {
	mu       sync.RWMutex
	handlers map[string]map[string][]*eventbus.Func
}

func (b *usual) call(ctx context.Context, data eventbus.Data) error {
	b.mu.RLock()
	handlers := slices.Clone(b.handlers[data.Domain][data.Action])
	b.mu.RUnlock()
	for _, fn := range handlers {
		if err := (*fn)(ctx, data); err != nil {
			return err
		}
	}
	return nil
}

func (b *usual) on(e event, fn eventbus.Func) (off func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.handlers[e.Domain] == nil {
		b.handlers[e.Domain] = map[string][]*eventbus.Func{}
	}
	b.handlers[e.Domain][e.Action] = append(b.handlers[e.Domain][e.Action], &fn)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.handlers[e.Domain][e.Action] = slices.DeleteFunc(b.handlers[e.Domain][e.Action], func(o *eventbus.Func) bool { return o == &fn })
	}
}

func (b *usual) dispatcher(events []event) func(n int) {
	next := 0
	return func(n int) {
		i := next
		for range n {
			check(b.call(context.Background(), events[i].Data))
			if i++; i == len(events) {
				i = 0
			}
		}
		next = i
	}
}

func (*usual) close() {}

// check panics: a contestant that fails would measure nothing.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
