package reply_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventbus"
	"example.com/eventbus/reply"
)

// Package user answers, package billing asks. Each has types of its own; only the
// event's name and its JSON are common.
func Example() {
	bus := eventbus.New(nil)

	type User struct {
		ID          int
		Name, Email string
	}
	reply.On(bus, "user", "find", func(_ context.Context, q struct{ ID int }) (User, error) {
		return User{q.ID, "Ada", "ada@example.com"}, nil
	})

	type Payer struct{ Name string }
	payer, err := reply.Ask[Payer](context.Background(), bus, eventbus.MustData("user", "find", map[string]int{"id": 7}))
	fmt.Println(payer, err)

	_, err = reply.Ask[Payer](context.Background(), bus, eventbus.MustData("user", "look up", nil))
	fmt.Println(errors.Is(err, reply.ErrNoReply), err)
	// Output:
	// {Ada} <nil>
	// true reply: no handler answered user/look up; register one that does by reply.On
}

// Whoever ships says what it would cost. One that fails doesn't hide the others.
func ExampleGather() {
	bus := eventbus.New(nil)
	type quote struct {
		By    string
		Cents int
	}
	reply.On(bus, "parcel", "quote", func(context.Context, struct{}) (quote, error) { return quote{"rail", 900}, nil })
	reply.On(bus, "parcel", "quote", func(context.Context, struct{}) (quote, error) { return quote{}, errors.New("no flight today") })
	reply.On(bus, "parcel", "quote", func(context.Context, struct{}) (quote, error) { return quote{"road", 700}, nil })

	quotes, err := reply.Gather[quote](context.Background(), bus, eventbus.MustData("parcel", "quote", nil))
	fmt.Println(quotes)
	fmt.Println(err)
	// Output:
	// [{rail 900} {road 700}]
	// parcel/quote: handler reply_test.ExampleGather.func2: no flight today
}
