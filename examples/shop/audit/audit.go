// Package audit records every event of the program.
package audit

import (
	"context"
	"slices"
	"sync"
	"time"

	"example.com/eventbus"
)

// Log is the record of all events, in the order in which they began. It is safe
// for concurrent use.
type Log struct {
	mu      sync.Mutex
	entries []Entry
}

// Entry says which event happened when. It leaves the params out, which hold
// cards and addresses.
type Entry struct {
	At             time.Time
	Domain, Action string
}

// Wire returns a Log of all events on bus. Wire it before the other packages, so
// that an event is on record before anybody acts on it.
func Wire(bus *eventbus.Bus) *Log {
	l := new(Log)
	bus.Register(eventbus.Any, eventbus.Any, l.record)
	return l
}

// Entries returns what is on record so far.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

func (l *Log) record(_ context.Context, data eventbus.Data) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, Entry{At: time.Now(), Domain: data.Domain, Action: data.Action})
	return nil
}
