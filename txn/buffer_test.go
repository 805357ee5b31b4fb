package txn_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
)

// orderBus returns a bus that notes the actions of order and fails at order/bad.
func orderBus(e *engine) *eventbus.Bus {
	bus := eventbus.New(nil)
	bus.Register("order", eventbus.Any, func(_ context.Context, d eventbus.Data) error {
		e.note(d.Action)
		if d.Action == "bad" {
			return errFn
		}
		return nil
	})
	bus.Register("order", "bad", func(context.Context, eventbus.Data) error {
		e.note("after the failure")
		return nil
	})
	return bus
}

func add(t *testing.T, b *txn.Buffer, actions string) {
	t.Helper()
	for action := range strings.FieldsSeq(actions) {
		if err := b.Add(eventbus.MustData("order", action, "hunter2")); err != nil {
			t.Errorf("add %s: %v", action, err)
		}
	}
}

func TestBufferCommit(t *testing.T) {
	for _, tt := range []struct {
		name, events string
		dispatched   []string
		wantErr      string
	}{
		{"nothing", "", nil, ""},
		{"in order", "a b c", []string{"a", "b", "c"}, ""},
		{"stops at the first error", "a bad b bad", []string{"a", "bad"},
			"txn: commit a buffer: order/bad: handler NAME: fn failed; not dispatched: [order/b order/bad]"},
		{"the last fails", "a bad", []string{"a", "bad"},
			"txn: commit a buffer: order/bad: handler NAME: fn failed"},
		{"many are left", "bad 1 2 3 4 5 6 7 8 9 10 11", []string{"bad"},
			"txn: commit a buffer: order/bad: handler NAME: fn failed; not dispatched: [order/1 order/2 order/3 order/4 order/5 order/6 order/7 order/8 order/9 order/10] and 1 more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := new(engine)
			bus := orderBus(e)
			buffer := txn.NewBuffer(bus)
			add(t, buffer, tt.events)
			if e.log != nil {
				t.Errorf("before the commit %v", e.log)
			}
			err := buffer.Commit(t.Context())
			if diff := cmp.Diff(tt.dispatched, e.log); diff != "" {
				t.Errorf("dispatched (-want +got):\n%s", diff)
			}
			if tt.wantErr == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for h := range bus.Handlers() {
				tt.wantErr = strings.Replace(tt.wantErr, "NAME", h.Name, 1) // the first's
			}
			d, ok := errors.AsType[*txn.DispatchError](err)
			if !ok || !errors.Is(err, errFn) {
				t.Fatalf("got a %T: %v", err, err)
			}
			if diff := cmp.Diff(tt.wantErr, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			all := append(append(tt.dispatched[:len(tt.dispatched)-1:len(tt.dispatched)-1], d.Event.Action), actions(d.Rest)...)
			if diff := cmp.Diff(strings.Fields(tt.events), all); diff != "" {
				t.Errorf("dispatched, failed and rest (-want +got):\n%s", diff)
			}
		})
	}
}

func actions(events []eventbus.Data) (names []string) {
	for _, d := range events {
		names = append(names, d.Action)
	}
	return names
}

func TestBufferIsDone(t *testing.T) {
	for name, end := range map[string]func(*txn.Buffer) error{
		"committed":   func(b *txn.Buffer) error { return b.Commit(t.Context()) },
		"rolled back": func(b *txn.Buffer) error { return b.Rollback(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			e := new(engine)
			buffer := txn.NewBuffer(orderBus(e))
			add(t, buffer, "a")
			if err := end(buffer); err != nil {
				t.Error(err)
			}
			before := len(e.log)
			for what, err := range map[string]error{
				"Add": buffer.Add(placed), "Commit": buffer.Commit(t.Context()), "Rollback": buffer.Rollback(t.Context()),
			} {
				if !errors.Is(err, txn.ErrDone) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(e.log) != before || name == "rolled back" && before != 0 {
				t.Errorf("dispatched %v", e.log)
			}
		})
	}
}

func TestBuffersDontTouchEachOther(t *testing.T) {
	e := new(engine)
	bus := orderBus(e)
	kept, dropped := txn.NewBuffer(bus), txn.NewBuffer(bus)
	add(t, kept, "a")
	add(t, dropped, "b")
	add(t, kept, "c")
	if err := errors.Join(dropped.Rollback(t.Context()), kept.Commit(t.Context())); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "c"}, e.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBufferFromManyGoroutines(t *testing.T) {
	e := new(engine)
	buffer := txn.NewBuffer(orderBus(e))
	accepted := make(chan bool, 100)
	var wg sync.WaitGroup
	for range cap(accepted) {
		wg.Go(func() { accepted <- buffer.Add(placed) == nil })
	}
	wg.Go(func() {
		if err := buffer.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	close(accepted)
	want := 0
	for ok := range accepted {
		if ok {
			want++
		}
	}
	if len(e.log) != want {
		t.Errorf("%d events accepted, %d dispatched", want, len(e.log))
	}
}

// Handlers that a buffer's commit calls are within the run that commits it.
func TestABufferIsAScope(t *testing.T) {
	e := new(engine)
	bus := orderBus(e)
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		buffer, err := txn.From[*txn.Buffer](ctx)
		if err != nil {
			t.Errorf("during the commit: %v", err)
		} else if err := buffer.Add(placed); !errors.Is(err, txn.ErrDone) {
			t.Errorf("add during the commit: %v", err)
		}
		return nil
	}, txn.Required())
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error { e.note("mail"); return nil }, txn.AfterCommit())
	begin := func(context.Context) (*txn.Buffer, error) { return txn.NewBuffer(bus), nil }
	for _, tt := range []struct {
		name, events string
		err, want    error
		wantLog      []string
	}{
		{"commit", "placed a", nil, nil, []string{"placed", "a", "mail"}},
		{"rollback", "placed a", errFn, errFn, nil},
		{"commit fails", "placed bad a", nil, errFn, []string{"placed", "bad"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.log = nil
			err := txn.RunScope(t.Context(), bus, begin, nil, func(ctx context.Context) error {
				buffer, err := txn.From[*txn.Buffer](ctx)
				if err != nil {
					return err
				}
				add(t, buffer, tt.events)
				return tt.err
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(tt.wantLog, e.log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
