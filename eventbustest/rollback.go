package eventbustest

import (
	"context"
	"database/sql"
	"errors"

	"example.com/eventbus"
	"example.com/eventbus/txn"
)

// Reaction is a handler that was put off until the commit, and the event it was put off for.
type Reaction struct {
	Handler eventbus.Handler
	Data    eventbus.Data
}

// Reactions are in the order in which they would run.
type Reactions []Reaction

// Events returns the events of the reactions, for Expect.
func (r Reactions) Events() []eventbus.Data {
	var all []eventbus.Data
	for _, one := range r {
		all = append(all, one.Data)
	}
	return all
}

// Names returns the names of the handlers.
func (r Reactions) Names() []string {
	var names []string
	for _, one := range r {
		names = append(names, one.Handler.Name)
	}
	return names
}

// RollBack runs fn in a transaction on db and rolls it back, so that a test leaves no trace
// in the database. It returns the handlers that a commit would have run, those registered
// with txn.AfterCommit, and runs none of them. What fn runs by txn.Run on db joins the
// transaction.
//
// The error is that of fn, of a context that is done by then, or of the transaction; there
// are no reactions then, as there is no commit. One thing is not like a commit: a txn.Run
// within fn that failed, and whose error fn swallows, goes unnoticed.
//
// For another engine, look at txn.Pending at the end of a txn.RunScope, and return an error.
func RollBack(ctx context.Context, db *sql.DB, fn func(context.Context) error) (Reactions, error) {
	var all Reactions
	done := errors.New("eventbustest: the test rolls back")
	err := txn.Run(ctx, db, nil, func(ctx context.Context) error {
		if err := txn.Run(ctx, db, nil, fn); err != nil { // joins, and fails as one that commits
			return err
		}
		for h, data := range txn.Pending(ctx) {
			all = append(all, Reaction{h, data})
		}
		return done
	})
	if err == done { //nolint:errorlint // joined with another, it comes of a rollback that failed
		return all, nil
	}
	return nil, err
}
