// Package user knows who signed up and counts loyalty points.
package user

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"example.com/eventbus"
	"example.com/eventbus/txn"
)

// Created is published when a user signs up, in the transaction that adds the
// user: a handler that fails there undoes the sign-up.
var Created = eventbus.Event[CreatedParams]{Domain: "user", Action: "created"}

// CreatedParams are the params of Created.
type CreatedParams struct {
	User  string `json:"user"`
	Name  string `json:"name"` // may be empty
	Email string `json:"email"`
}

// ErrExists and ErrUnknown are what is wrong with a user's ID.
var (
	ErrExists  = errors.New("there is such a user already")
	ErrUnknown = errors.New("there is no such user")
)

// User is somebody who signed up.
type User struct {
	ID, Name, Email string
	Points          int // one for each 100 cents spent
}

// Users is all users. It is safe for concurrent use.
type Users struct {
	bus   *eventbus.Bus
	store store
}

// Wire returns the Users in db, a SQLite database in which it makes its table.
// They announce themselves, and hear of orders, on bus.
func Wire(ctx context.Context, bus *eventbus.Bus, db *sql.DB) (*Users, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("user: create the table: %w", err)
	}
	u := &Users{bus: bus, store: store{db}}
	eventbus.On(bus, "order", "placed", u.addPoints)
	eventbus.On(bus, "order", "cancelled", u.takePoints)
	eventbus.On(bus, "billing", "refunded", u.apologise)
	return u, nil
}

// SignUp adds a user. The error is ErrExists where the ID is taken.
func (u *Users) SignUp(ctx context.Context, id, name, email string) error {
	err := txn.Run(ctx, u.store.db, nil, func(ctx context.Context) error {
		if err := u.store.insert(ctx, User{ID: id, Name: name, Email: email}); err != nil {
			return err
		}
		return u.bus.Publish(ctx, Created.Must(CreatedParams{User: id, Name: name, Email: email}))
	})
	if err != nil {
		return fmt.Errorf("user: sign up %s: %w", id, err)
	}
	return nil
}

// Find returns a user, or ErrUnknown.
func (u *Users) Find(ctx context.Context, id string) (User, error) { return u.store.find(ctx, id) }

// Count returns how many users there are.
func (u *Users) Count(ctx context.Context) (int, error) { return u.store.count(ctx) }

type purchase struct {
	User  string `json:"user"`
	Total int    `json:"total"` // in cents
}

func (u *Users) addPoints(ctx context.Context, p purchase) error {
	return u.store.addPoints(ctx, p.User, p.Total/100)
}

func (u *Users) takePoints(ctx context.Context, p purchase) error {
	return u.store.addPoints(ctx, p.User, -p.Total/100)
}

type refund struct {
	User   string `json:"user"`
	Amount int    `json:"amount"` // in cents
}

// apologise gives a few points for a small refund. Whoever publishes the refund
// lets it stand, whatever becomes of this.
func (u *Users) apologise(ctx context.Context, r refund) error {
	const points, most = 5, 2500
	if r.Amount > most {
		return fmt.Errorf("user: points for the refund to %s: over €%d somebody has to call", r.User, most/100)
	}
	return u.store.addPoints(ctx, r.User, points)
}
