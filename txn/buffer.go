package txn

import (
	"context"
	"fmt"
	"sync"

	"example.com/eventbus"
)

// Buffer keeps events until they are dispatched together, or dropped. It is
// safe for concurrent use, and its events are its own: no other buffer and no
// transaction sees them.
//
//	events := txn.NewBuffer(bus)
//	err := txn.Run(ctx, db, nil, func(ctx context.Context) error {
//		if err := checkout(ctx, events); err != nil { // calls events.Add
//			return err
//		}
//		return events.Commit(ctx)
//	})
//
// dispatches within the transaction, so that a handler's failure rolls it back.
// A Buffer is a Scope too, for a run without a database:
//
//	begin := func(context.Context) (*txn.Buffer, error) { return txn.NewBuffer(bus), nil }
//	err := txn.RunScope(ctx, bus, begin, nil, fn) // fn finds it by txn.From[*txn.Buffer]
type Buffer struct {
	bus    *eventbus.Bus
	mu     sync.Mutex
	done   bool
	events []eventbus.Data
}

// NewBuffer returns an empty Buffer for events of bus.
func NewBuffer(bus *eventbus.Bus) *Buffer { return &Buffer{bus: bus} }

// Add keeps an event. The error is ErrDone once the buffer was committed or
// rolled back, also while Commit dispatches.
func (b *Buffer) Add(data eventbus.Data) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return fmt.Errorf("txn: add %v to a buffer: %w", data, ErrDone)
	}
	b.events = append(b.events, data)
	return nil
}

// Commit dispatches the events by Bus.Call, in the order in which they were
// added, until one fails. That gives a *DispatchError. The buffer is done
// either way; a second Commit returns ErrDone.
//
// What handlers did before the failure is done. Only a transaction around the
// Commit can undo it.
func (b *Buffer) Commit(ctx context.Context) error {
	events, err := b.finish("commit")
	if err != nil {
		return err
	}
	for i, data := range events {
		if err := b.bus.Call(ctx, data); err != nil {
			return &DispatchError{Event: data, Rest: events[i+1:], Err: err}
		}
	}
	return nil
}

// Rollback drops the events. The error is ErrDone where the buffer was committed
// or rolled back before. The context isn't used.
func (b *Buffer) Rollback(context.Context) error {
	_, err := b.finish("roll back")
	return err
}

func (b *Buffer) finish(doing string) ([]eventbus.Data, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return nil, fmt.Errorf("txn: %s a buffer: %w", doing, ErrDone)
	}
	events := b.events
	b.done, b.events = true, nil
	return events, nil
}

// DispatchError says how far the commit of a Buffer came.
type DispatchError struct {
	Event eventbus.Data   // the event whose dispatch failed
	Rest  []eventbus.Data // the events after it, which were not dispatched
	Err   error           // what Bus.Call returned for Event
}

// Error names the events, ten at most of those not dispatched.
func (e *DispatchError) Error() string {
	const most = 10
	text := fmt.Sprintf("txn: commit a buffer: %v", e.Err)
	switch n := len(e.Rest); {
	case n > most:
		text += fmt.Sprintf("; not dispatched: %v and %d more", e.Rest[:most], n-most)
	case n > 0:
		text += fmt.Sprintf("; not dispatched: %v", e.Rest)
	}
	return text
}

// Unwrap returns Err.
func (e *DispatchError) Unwrap() error { return e.Err }
