package durable_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"example.com/eventbus/txn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

type Order struct{ ID int }

// An order is taken, and its confirmation is mailed after the commit, whatever
// happens to the process in between. The order that is rolled back mails nothing.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "shop.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // SQLite has one writer at a time
	if _, err := db.ExecContext(ctx, "CREATE TABLE orders (id integer PRIMARY KEY)"); err != nil {
		log.Fatal(err)
	}

	reactions, err := durable.New(riversqlite.New(db), &durable.Options{
		River: river.Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := reactions.Migrate(ctx); err != nil {
		log.Fatal(err)
	}

	bus := eventbus.New(nil)
	mailed := make(chan int)
	eventbus.On(bus, "order", "placed", func(_ context.Context, o Order) error {
		mailed <- o.ID
		return nil
	}, reactions.Reaction("mail.confirm"))
	if err := reactions.Start(ctx); err != nil {
		log.Fatal(err)
	}

	place := func(o Order, sold bool) error {
		return txn.Run(ctx, db, nil, func(ctx context.Context) error {
			tx, err := txn.From[*sql.Tx](ctx)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES (?)", o.ID); err != nil {
				return err
			}
			if err := bus.Call(ctx, eventbus.MustData("order", "placed", o)); err != nil {
				return err
			}
			if !sold {
				return errors.New("card declined")
			}
			return nil
		})
	}
	fmt.Println("order 1:", place(Order{1}, false))
	fmt.Println("order 2:", place(Order{2}, true))
	fmt.Println("mailed:", <-mailed)
	fmt.Println("stopped:", reactions.Stop(ctx))

	counts, err := reactions.Count(ctx, durable.Filter{Reaction: "mail.confirm"})
	fmt.Println("done:", counts[durable.Done], err)

	// Output:
	// order 1: card declined
	// order 2: <nil>
	// mailed: 2
	// stopped: <nil>
	// done: 1 <nil>
}

// The reaction's rows are written exactly once, since its mark commits with them.
func ExampleClient_Complete() {
	var db *sql.DB // as in the example of the package
	var reactions *durable.Client[*sql.Tx]

	bill := func(ctx context.Context, o Order) error {
		return txn.Run(ctx, db, nil, func(ctx context.Context) error {
			tx, err := txn.From[*sql.Tx](ctx)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO invoices (order_id) VALUES (?)", o.ID); err != nil {
				return err
			}
			return reactions.Complete(ctx)
		})
	}
	eventbus.On(eventbus.New(nil), "order", "placed", bill, reactions.Reaction("billing.invoice"))
}

// After the printer is mended, whatever it gave up is tried again.
func ExampleClient_Retry() {
	var reactions *durable.Client[*sql.Tx] // as in the example of the package
	ctx := context.Background()

	givenUp := durable.Filter{Reaction: "billing.print", States: []durable.State{durable.GivenUp}}
	for job, err := range reactions.List(ctx, givenUp) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.ID, job.Event, job.Attempt, job.LastError)
	}
	n, err := reactions.Retry(ctx, givenUp)
	fmt.Println(n, "are tried again", err)
}
