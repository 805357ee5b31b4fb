package txn_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventbus"
	"example.com/eventbus/txn"
)

// memory is a transaction on a slice. Run does the same on a *sql.DB, and there
// txn.From[*sql.Tx] finds the transaction.
type memory struct{ rows, added []string }

func (m *memory) begin(context.Context) (*memory, error) { m.added = nil; return m, nil }
func (m *memory) Commit(context.Context) error           { m.rows = append(m.rows, m.added...); return nil }
func (m *memory) Rollback(context.Context) error         { m.added = nil; return nil }

// The mail goes out only after the commit, and not at all where the order is
// rolled back.
func Example() {
	db := new(memory)
	bus := eventbus.New(nil)
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		tx, err := txn.From[*memory](ctx)
		if err != nil {
			return err
		}
		tx.added = append(tx.added, "reservation")
		return nil
	}, txn.Required())
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error {
		fmt.Println("mail: thank you. Committed:", db.rows)
		return nil
	}, txn.AfterCommit())

	place := func(paid bool) error {
		return txn.RunScope(context.Background(), db, db.begin, nil, func(ctx context.Context) error {
			tx, err := txn.From[*memory](ctx)
			if err != nil {
				return err
			}
			tx.added = append(tx.added, "order")
			if err := bus.Call(ctx, eventbus.MustData("order", "placed", nil)); err != nil {
				return err
			}
			if !paid {
				return errors.New("card declined")
			}
			return nil
		})
	}
	fmt.Println(place(false), db.rows)
	fmt.Println(place(true), db.rows)
	// Output:
	// card declined []
	// mail: thank you. Committed: [order reservation]
	// <nil> [order reservation]
}

// Outside a transaction a handler that waits for a commit is a mistake, unless
// the registration says otherwise.
func ExampleAfterCommitOrNow() {
	confirm := func(context.Context, eventbus.Data) error {
		fmt.Println("mail: thank you")
		return nil
	}
	bus := eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"}, confirm, txn.AfterCommit())
	bus.Handle(eventbus.Handler{Domain: "order", Action: "imported", Name: "mail.Confirm"}, confirm, txn.AfterCommitOrNow())

	ctx := context.Background()
	fmt.Println(bus.Call(ctx, eventbus.MustData("order", "placed", nil)))
	fmt.Println(bus.Call(ctx, eventbus.MustData("order", "imported", nil)))
	// Output:
	// order/placed: handler mail.Confirm: txn: put off until the commit: the context holds no transaction: dispatch within txn.Run, or choose AfterCommitOrNow
	// mail: thank you
	// <nil>
}

// A test that rolls back in the end sees what would have run.
func ExamplePending() {
	bus := eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "mail.Confirm"},
		func(context.Context, eventbus.Data) error { return nil }, txn.AfterCommit())

	db := new(memory)
	rollback := errors.New("only a test")
	err := txn.RunScope(context.Background(), db, db.begin, nil, func(ctx context.Context) error {
		if err := bus.Call(ctx, eventbus.MustData("order", "placed", nil)); err != nil {
			return err
		}
		for h, data := range txn.Pending(ctx) {
			fmt.Println(h.Name, "waits with", data)
		}
		return rollback
	})
	fmt.Println(err)
	// Output:
	// mail.Confirm waits with order/placed
	// only a test
}

// A Buffer dispatches its events together, here as a scope of its own without
// any database.
func ExampleBuffer() {
	bus := eventbus.New(nil)
	bus.Register("order", eventbus.Any, func(_ context.Context, d eventbus.Data) error {
		fmt.Println("handled", d)
		return nil
	})

	begin := func(context.Context) (*txn.Buffer, error) { return txn.NewBuffer(bus), nil }
	err := txn.RunScope(context.Background(), bus, begin, nil, func(ctx context.Context) error {
		events, err := txn.From[*txn.Buffer](ctx)
		if err != nil {
			return err
		}
		for _, action := range []string{"placed", "paid"} {
			if err := events.Add(eventbus.MustData("order", action, nil)); err != nil {
				return err
			}
		}
		fmt.Println("nothing is dispatched yet")
		return nil
	})
	fmt.Println(err)
	// Output:
	// nothing is dispatched yet
	// handled order/placed
	// handled order/paid
	// <nil>
}

// The error of a buffer's commit says how far it came.
func ExampleDispatchError() {
	bus := eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "order", Action: "paid", Name: "ledger.Book"},
		func(context.Context, eventbus.Data) error { return errors.New("ledger closed") })

	events := txn.NewBuffer(bus)
	for _, action := range []string{"placed", "paid", "shipped"} {
		if err := events.Add(eventbus.MustData("order", action, nil)); err != nil {
			fmt.Println(err)
		}
	}
	err := events.Commit(context.Background())
	if d, ok := errors.AsType[*txn.DispatchError](err); ok {
		fmt.Println("failed:", d.Event)
		fmt.Println("left:", d.Rest)
		fmt.Println(d.Err)
	}
	// Output:
	// failed: order/paid
	// left: [order/shipped]
	// order/paid: handler ledger.Book: ledger closed
}
