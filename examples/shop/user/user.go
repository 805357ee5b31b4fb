// Package user knows who signed up and counts loyalty points.
package user

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventbus"
)

// Created is published when a user has signed up.
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

// Wire returns Users that announce themselves, and hear of orders, on bus.
func Wire(bus *eventbus.Bus) *Users {
	u := &Users{bus: bus}
	eventbus.On(bus, "order", "placed", u.addPoints)
	eventbus.On(bus, "order", "cancelled", u.takePoints)
	return u
}

// SignUp adds a user. The error is ErrExists where the ID is taken.
func (u *Users) SignUp(ctx context.Context, id, name, email string) error {
	if err := u.store.insert(ctx, User{ID: id, Name: name, Email: email}); err != nil {
		return fmt.Errorf("user: sign up %s: %w", id, err)
	}
	_ = u.bus.Publish(ctx, Created.Must(CreatedParams{User: id, Name: name, Email: email})) // no reaction undoes a sign-up
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
