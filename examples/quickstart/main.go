package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventbus"
)

// What package mail wants to know of a new user, and what it does with it.
type welcome struct{ Email string }

func sendWelcome(_ context.Context, u welcome) error {
	if u.Email == "" {
		return errors.New("no address")
	}
	fmt.Println("mail to", u.Email)
	return nil
}

// What package user knows of a user. It has never heard of package mail.
type user struct {
	ID    int
	Email string
}

func signUp(ctx context.Context, bus *eventbus.Bus, u user) error {
	created, err := eventbus.NewData("user", "created", u)
	if err != nil {
		return err
	}
	return bus.Call(ctx, created) // an error here aborts the sign-up
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", sendWelcome) // wired at startup, in one place

	fmt.Println(signUp(context.Background(), bus, user{ID: 1, Email: "ann@example.org"}))
	fmt.Println(signUp(context.Background(), bus, user{ID: 2}))
}
