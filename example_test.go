package eventbus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"

	"example.com/eventbus"
)

// A producer and a consumer that don't know each other: each has a struct of its
// own for the params, with the fields that it needs.
func Example() {
	bus := eventbus.New(nil)

	// package mail
	eventbus.On(bus, "user", "created", func(ctx context.Context, u struct{ Name, Email string }) error {
		fmt.Printf("to %s: welcome, %s!\n", u.Email, u.Name)
		return nil
	})

	// package user
	type User struct {
		ID          int
		Name, Email string
	}
	err := bus.Call(context.Background(), eventbus.MustData("user", "created", User{7, "Ann", "ann@example.org"}))
	fmt.Println("error:", err)
	// Output:
	// to ann@example.org: welcome, Ann!
	// error: <nil>
}

// Call is for side effects that must succeed: the first error comes back, and what
// comes after it doesn't run.
func ExampleBus_Call() {
	bus := eventbus.New(nil)
	errNoStock := errors.New("out of stock")
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "inventory.Reserve"}, func(context.Context, eventbus.Data) error {
		return errNoStock
	})
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "billing.Charge"}, func(context.Context, eventbus.Data) error {
		fmt.Println("charged")
		return nil
	})

	err := bus.Call(context.Background(), eventbus.MustData("order", "placed", nil))
	fmt.Println(err)
	fmt.Println("abort the order:", errors.Is(err, errNoStock))
	// Output:
	// order/placed: handler inventory.Reserve: out of stock
	// abort the order: true
}

// Publish is for handlers that have no business with each other: all of them run,
// also where one panics, and the errors come back joined.
func ExampleBus_Publish() {
	bus := eventbus.New(nil)
	handle := func(name string, fn eventbus.Func) {
		bus.Handle(eventbus.Handler{Domain: "order", Action: "shipped", Name: name}, fn)
	}
	handle("mail.Notify", func(context.Context, eventbus.Data) error { return errors.New("mailbox full") })
	handle("stats.Count", func(context.Context, eventbus.Data) error { panic("no counter") })
	handle("audit.Note", func(context.Context, eventbus.Data) error { fmt.Println("noted"); return nil })

	fmt.Println(bus.Publish(context.Background(), eventbus.MustData("order", "shipped", nil)))
	// Output:
	// noted
	// order/shipped: handler mail.Notify: mailbox full
	// order/shipped: handler stats.Count: panic: no counter
}

// Any makes one handler see many events.
func ExampleBus_Register_any() {
	bus := eventbus.New(nil)
	bus.Register(eventbus.Any, eventbus.Any, func(_ context.Context, d eventbus.Data) error {
		fmt.Println("audit:", d)
		return nil
	})
	for _, action := range []string{"created", "renamed"} {
		if err := bus.Publish(context.Background(), eventbus.MustData("user", action, nil)); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// audit: user/created
	// audit: user/renamed
}

// Intercept sees each dispatch as a whole, a middleware given to New each handler
// in it.
func ExampleBus_Intercept() {
	around := func(what string) eventbus.Middleware {
		return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
			return func(ctx context.Context, d eventbus.Data) error {
				fmt.Println(what, h.Name, d)
				return next(ctx, d)
			}
		}
	}
	bus := eventbus.New(nil, around("  handler"))
	bus.Intercept(around("dispatch"))
	for _, name := range []string{"mail.Welcome", "audit.Note"} {
		bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: name}, func(context.Context, eventbus.Data) error { return nil })
	}
	if err := bus.Publish(context.Background(), eventbus.MustData("user", "created", nil)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// dispatch Publish user/created
	//   handler mail.Welcome user/created
	//   handler audit.Note user/created
}

// The wiring can be listed at any time.
func ExampleBus_Handlers() {
	var bus eventbus.Bus
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome", Source: "shop/mail/wire.go:12"}, func(context.Context, eventbus.Data) error { return nil })
	bus.Handle(eventbus.Handler{Domain: eventbus.Any, Action: eventbus.Any, Name: "audit.Note", Source: "shop/audit/wire.go:9"}, func(context.Context, eventbus.Data) error { return nil })
	for h := range bus.Handlers() {
		fmt.Println(h, h.Source)
	}
	// Output:
	// user/created (mail.Welcome) shop/mail/wire.go:12
	// */* (audit.Note) shop/audit/wire.go:9
}

// An Event ties the names to the type of the params, for packages that may share
// them.
func ExampleEvent() {
	type Created struct{ Email string }
	var UserCreated = eventbus.Event[Created]{Domain: "user", Action: "created"}

	bus := eventbus.New(nil)
	UserCreated.On(bus, func(_ context.Context, u Created) error {
		fmt.Println("welcome", u.Email)
		return nil
	})
	fmt.Println(bus.Call(context.Background(), UserCreated.Must(Created{"ann@example.org"})))
	// Output:
	// welcome ann@example.org
	// <nil>
}

// A consumer that needs the event's names as well decodes the params itself.
func ExampleDecode() {
	bus := eventbus.New(nil)
	bus.Register("user", eventbus.Any, func(_ context.Context, d eventbus.Data) error {
		u, err := eventbus.Decode[struct{ ID int }](d)
		if err != nil {
			return err
		}
		fmt.Println(d.Action, u.ID)
		return nil
	})
	fmt.Println(bus.Call(context.Background(), eventbus.MustData("user", "renamed", map[string]any{"ID": 7, "Name": "Ann"})))
	fmt.Println(errors.Unwrap(bus.Call(context.Background(), eventbus.MustData("user", "renamed", map[string]any{"ID": "seven"}))))
	// Output:
	// renamed 7
	// <nil>
	// eventbus: decode user/renamed to struct { ID int }: params.ID at byte 13: a JSON string does not fit a Go int
}

// A middleware is a function around a handler: what comes before and after it, or
// only on an error, is plain Go.
func ExampleMiddleware() {
	noteErrors := func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			err := next(ctx, d)
			if err != nil {
				fmt.Printf("%s failed on %v: %v\n", h.Name, d, err)
			}
			return err
		}
	}
	bus := eventbus.New(nil, noteErrors)
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"}, func(context.Context, eventbus.Data) error {
		return errors.New("no mail server")
	})
	_ = bus.Call(context.Background(), eventbus.MustData("user", "created", nil))
	// Output:
	// mail.Welcome failed on user/created: no mail server
}

// A bus logs its dispatches at Debug and its failures at Error, here by tint.
func ExampleNew() {
	log := slog.New(tint.NewTextHandler(os.Stdout, &tint.Options{
		NoColor: true,
		Level:   slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "source" {
				return slog.Attr{}
			}
			return a
		},
	}))
	bus := eventbus.New(log)
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"}, func(context.Context, eventbus.Data) error {
		return errors.New("no mail server")
	})
	_ = bus.Call(context.Background(), eventbus.MustData("user", "created", nil))
	// Output:
	// DBG eventbus: dispatch by=Call domain=user action=created
	// ERR eventbus: handler failed domain=user action=created handler=mail.Welcome err="no mail server"
}
