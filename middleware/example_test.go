package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/middleware"
)

// One line for each run of a handler, with the request it belongs to.
func ExampleLog() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" { // differ from run to run
			return slog.Attr{}
		}
		return a
	}}))
	bus := eventbus.New(nil, middleware.Log(log, "request_id"))
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"},
		func(context.Context, eventbus.Data) error { return nil })
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "billing.Open"},
		func(context.Context, eventbus.Data) error { return errors.New("no price list") })

	ctx := metadata.With(context.Background(), "request_id", "r-17")
	_ = bus.Publish(ctx, eventbus.MustData("user", "created", "ada@example.com"))
	// Output:
	// level=INFO msg="event handled" domain=user action=created handler=mail.Welcome request_id=r-17
	// level=ERROR msg="event handler failed" domain=user action=created handler=billing.Open err="no price list" request_id=r-17
}

// The deadline reaches the handler through its context, and the error says whose
// it was.
func ExampleTimeout() {
	bus := eventbus.New(nil)
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"},
		func(ctx context.Context, _ eventbus.Data) error {
			<-ctx.Done() // a server that doesn't answer
			return ctx.Err()
		}, middleware.Timeout(time.Millisecond))

	err := bus.Call(context.Background(), eventbus.MustData("user", "created", nil))
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// user/created: handler mail.Welcome: middleware: handler mail.Welcome ran out of its 1ms: context deadline exceeded
	// true
}

// A filter by metadata, and its opposite by Go's own negation.
func ExampleWhen() {
	imported := func(ctx context.Context, _ eventbus.Data) bool { return metadata.Get(ctx, "source") == "import" }
	say := func(what string) eventbus.Func {
		return func(_ context.Context, data eventbus.Data) error {
			fmt.Println(what, data)
			return nil
		}
	}
	bus := eventbus.New(nil)
	bus.Register("user", "created", say("count"), middleware.When(imported))
	bus.Register("user", "created", say("welcome"), middleware.When(
		func(ctx context.Context, data eventbus.Data) bool { return !imported(ctx, data) }))

	created := eventbus.MustData("user", "created", nil)
	_ = bus.Publish(context.Background(), created)
	_ = bus.Publish(metadata.With(context.Background(), "source", "import"), created)
	// Output:
	// welcome user/created
	// count user/created
}

// Hooks before, after and on error need no package: they are a Middleware of a
// few lines.
func Example_hooks() {
	hooks := func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			fmt.Println("before", h.Name)
			err := next(ctx, data)
			if err != nil {
				fmt.Println("on error", err)
			}
			fmt.Println("after", h.Name)
			return err
		}
	}
	bus := eventbus.New(nil, hooks)
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"},
		func(context.Context, eventbus.Data) error { return errors.New("smtp: 554") })
	_ = bus.Call(context.Background(), eventbus.MustData("user", "created", nil))
	// Output:
	// before mail.Welcome
	// on error smtp: 554
	// after mail.Welcome
}
