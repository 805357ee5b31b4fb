package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"example.com/eventbus"
	"example.com/eventbus/txn"
)

// The mail goes out only after the commit. An order that isn't paid is rolled
// back, and nobody is thanked for it.
func Example() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	if _, err := db.Exec("CREATE TABLE orders (buyer TEXT)"); err != nil {
		fmt.Println(err)
		return
	}

	type Placed struct{ Buyer string }
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "placed", func(ctx context.Context, p Placed) error {
		var orders int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM orders").Scan(&orders); err != nil {
			return err
		}
		fmt.Printf("mail to %s: thank you, orders so far: %d\n", p.Buyer, orders)
		return nil
	}, txn.AfterCommit())

	place := func(ctx context.Context, buyer string, paid bool) error {
		return txn.Run(ctx, db, nil, func(ctx context.Context) error {
			tx, err := txn.From[*sql.Tx](ctx)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES (?)", buyer); err != nil {
				return err
			}
			if err := bus.Call(ctx, eventbus.MustData("order", "placed", Placed{buyer})); err != nil {
				return err
			}
			if !paid {
				return errors.New("card declined")
			}
			return nil
		})
	}
	fmt.Println(place(context.Background(), "Ada", false))
	fmt.Println(place(context.Background(), "Grace", true))
	// Output:
	// card declined
	// mail to Grace: thank you, orders so far: 1
	// <nil>
}
