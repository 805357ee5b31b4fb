package patterns_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/middleware"
	"example.com/eventbus/queue"
	"example.com/eventbus/reply"
	"example.com/eventbus/resilience"
	"example.com/eventbus/txn"
)

var ctx = context.Background()

// handler registers a handler under a name of its own, for the examples' output.
func handler(bus *eventbus.Bus, domain, action, name string, fn eventbus.Func, mw ...eventbus.Middleware) {
	bus.Handle(eventbus.Handler{Domain: domain, Action: action, Name: name}, fn, mw...)
}

func says(text string) eventbus.Func {
	return func(context.Context, eventbus.Data) error { fmt.Println(text); return nil }
}

// A callback for what comes of a dispatch is the code after it: the handlers have
// run when Call returns. One that travels with the request is a value in the
// context.
func Example_callback() {
	type progress func(percent int)
	type key struct{}
	bus := eventbus.New(nil)
	handler(bus, "report", "wanted", "report.Make", func(ctx context.Context, _ eventbus.Data) error {
		for _, percent := range []int{50, 100} {
			if tell, ok := ctx.Value(key{}).(progress); ok {
				tell(percent)
			}
		}
		return nil
	})

	ctx := context.WithValue(ctx, key{}, progress(func(percent int) { fmt.Println(percent, "%") }))
	if err := bus.Call(ctx, eventbus.MustData("report", "wanted", nil)); err == nil {
		fmt.Println("done")
	}
	// Output:
	// 50 %
	// 100 %
	// done
}

// A question and its answer, with a correlation id that the one who answers logs.
func Example_requestAndReply() {
	bus := eventbus.New(nil)
	reply.On(bus, "user", "find", func(ctx context.Context, q struct{ ID int }) (map[string]any, error) {
		fmt.Println("user/find for", metadata.Get(ctx, "correlation_id"))
		return map[string]any{"id": q.ID, "name": "Ann"}, nil
	})

	ctx := metadata.With(ctx, "correlation_id", "order-17")
	payer, err := reply.Ask[struct{ Name string }](ctx, bus, eventbus.MustData("user", "find", map[string]int{"ID": 7}))
	fmt.Println(payer.Name, err)
	// Output:
	// user/find for order-17
	// Ann <nil>
}

// A chain of phases: handlers run in the order of registration, and Call stops at
// the first that fails.
func Example_phases() {
	bus := eventbus.New(nil)
	handler(bus, "article", "submitted", "validate", func(_ context.Context, d eventbus.Data) error {
		a, err := eventbus.Decode[struct{ Title string }](d)
		if err == nil && a.Title == "" {
			err = errors.New("no title")
		}
		return err
	})
	handler(bus, "article", "submitted", "transform", says("transformed"))
	handler(bus, "article", "submitted", "store", says("stored"))

	fmt.Println(bus.Call(ctx, eventbus.MustData("article", "submitted", map[string]string{"Title": "Buses"})))
	fmt.Println(bus.Call(ctx, eventbus.MustData("article", "submitted", map[string]string{})))
	// Output:
	// transformed
	// stored
	// <nil>
	// article/submitted: handler validate: no title
}

// Everybody's answer: what shipping costs, asked of all who ship.
func Example_collectAnswers() {
	type offer struct {
		By    string
		Price int
	}
	bus := eventbus.New(nil)
	for _, o := range []offer{{"bike", 5}, {"train", 9}} {
		reply.On(bus, "shipping", "quote", func(context.Context, struct{}) (offer, error) { return o, nil })
	}
	reply.On(bus, "shipping", "quote", func(context.Context, struct{}) (offer, error) { return offer{}, errors.New("grounded") })

	offers, err := reply.Gather[offer](ctx, bus, eventbus.MustData("shipping", "quote", nil))
	fmt.Println(offers, err != nil)
	// Output:
	// [{bike 5} {train 9}] true
}

// Retry with backoff, until it works or can't.
func Example_retry() {
	patient := resilience.With(func(eventbus.Handler) []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			retrypolicy.NewBuilder[any]().WithBackoff(time.Millisecond, 10*time.Millisecond).WithMaxRetries(3).ReturnLastFailure().Build(),
		}
	})
	bus := eventbus.New(nil)
	tries := 0
	handler(bus, "user", "created", "mail.Welcome", func(context.Context, eventbus.Data) error {
		if tries++; tries < 3 {
			return errors.New("server busy")
		}
		return nil
	}, patient)
	handler(bus, "user", "deleted", "mail.Goodbye", func(context.Context, eventbus.Data) error {
		tries++
		return eventbus.Permanent(errors.New("no such mailbox"))
	}, patient)

	fmt.Println(bus.Call(ctx, eventbus.MustData("user", "created", nil)), "after", tries)
	tries = 0
	fmt.Println(bus.Call(ctx, eventbus.MustData("user", "deleted", nil)), "after", tries)
	// Output:
	// <nil> after 3
	// user/deleted: handler mail.Goodbye: no such mailbox after 1
}

// A circuit breaker spares a service that is down: one for each handler.
func Example_circuitBreaker() {
	bus := eventbus.New(nil)
	handler(bus, "order", "placed", "billing.Charge", func(context.Context, eventbus.Data) error {
		fmt.Println("called")
		return errors.New("bank is down")
	}, resilience.With(func(eventbus.Handler) []failsafe.Policy[any] {
		return []failsafe.Policy[any]{circuitbreaker.NewBuilder[any]().WithFailureThreshold(2).WithDelay(time.Minute).Build()}
	}))

	for range 3 {
		err := bus.Call(ctx, eventbus.MustData("order", "placed", nil))
		fmt.Println(errors.Is(err, circuitbreaker.ErrOpen))
	}
	// Output:
	// called
	// false
	// called
	// false
	// true
}

// Many events, one statement.
func Example_batch() {
	type view struct{ Page string }
	q := queue.New(queue.Options{Workers: 1})
	views := queue.NewBatch(q, 2, time.Minute, func(_ context.Context, views []view) error {
		fmt.Println("insert", views)
		return nil
	})
	bus := eventbus.New(nil)
	eventbus.On(bus, "page", "viewed", views.Add)

	for _, page := range []string{"/", "/shop", "/cart"} {
		if err := bus.Publish(ctx, eventbus.MustData("page", "viewed", view{page})); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(q.Drain(ctx)) // hands over the rest
	// Output:
	// insert [{/} {/shop}]
	// insert [{/cart}]
	// <nil>
}

// What can't be taken back waits for the commit.
func Example_afterCommit() {
	bus := eventbus.New(nil)
	handler(bus, "order", "placed", "stock.Reserve", says("reserved, within the transaction"), txn.Required())
	handler(bus, "order", "placed", "mail.Confirm", says("mailed"), txn.AfterCommit())

	place := func(outcome error) error {
		begin := func(context.Context) (*txn.Buffer, error) { return txn.NewBuffer(bus), nil } // a database, in earnest: txn.Run
		return txn.RunScope(ctx, bus, begin, nil, func(ctx context.Context) error {
			return errors.Join(bus.Call(ctx, eventbus.MustData("order", "placed", nil)), outcome)
		})
	}
	fmt.Println(place(nil))
	fmt.Println(place(errors.New("no stock")))
	// Output:
	// reserved, within the transaction
	// mailed
	// <nil>
	// reserved, within the transaction
	// no stock
}

// Fan out to a queue, where the urgent overtakes.
func Example_fanOutWithPriorities() {
	q := queue.New(queue.Options{Workers: 1})
	bus := eventbus.New(nil)
	var wired sync.WaitGroup
	wired.Add(1)
	handler(bus, "order", "placed", "busy", func(context.Context, eventbus.Data) error { wired.Wait(); return nil }, q.Async(9))
	handler(bus, "order", "placed", "stats.Count", says("statistics"), q.Async(-1))
	handler(bus, "order", "placed", "mail.Confirm", says("mail"), q.Async(0))
	handler(bus, "order", "placed", "fraud.Check", says("fraud check"), q.Async(5))

	fmt.Println(bus.Publish(ctx, eventbus.MustData("order", "placed", nil)))
	wired.Done()
	fmt.Println(q.Drain(ctx))
	// Output:
	// <nil>
	// fraud check
	// mail
	// statistics
	// <nil>
}

// A filter by metadata: test traffic sends no mail.
func Example_filter() {
	live := middleware.When(func(ctx context.Context, _ eventbus.Data) bool { return metadata.Get(ctx, "source") != "test" })
	bus := eventbus.New(nil)
	handler(bus, "user", "created", "mail.Welcome", says("welcome"), live)

	for _, source := range []string{"test", "web"} {
		fmt.Println(source, bus.Call(metadata.With(ctx, "source", source), eventbus.MustData("user", "created", nil)))
	}
	// Output:
	// test <nil>
	// welcome
	// web <nil>
}

// One handler on many events.
func Example_oneHandlerOnManyEvents() {
	bus := eventbus.New(nil)
	note := func(_ context.Context, d eventbus.Data) error { fmt.Println("noted", d); return nil }
	for _, action := range []string{"created", "deleted"} {
		bus.Register("user", action, note)
	}
	bus.Register("order", eventbus.Any, note)

	for _, d := range []eventbus.Data{{Domain: "user", Action: "deleted"}, {Domain: "user", Action: "renamed"}, {Domain: "order", Action: "placed"}} {
		if err := bus.Publish(ctx, d); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// noted user/deleted
	// noted order/placed
}

// Hooks before, after and on error are a middleware of five lines.
func Example_hooks() {
	hooks := func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			fmt.Println("before", h.Name)
			err := next(ctx, d)
			if err != nil {
				fmt.Println("on error", err)
			}
			fmt.Println("after", h.Name)
			return err
		}
	}
	bus := eventbus.New(nil, hooks)
	handler(bus, "user", "created", "mail.Welcome", func(context.Context, eventbus.Data) error { return errors.New("no mail") })
	_ = bus.Call(ctx, eventbus.MustData("user", "created", nil))
	// Output:
	// before mail.Welcome
	// on error no mail
	// after mail.Welcome
}

// One bus for each hub: a Bus is a value, and forwarding between two is a handler.
func Example_oneBusForEachHub() {
	var north, south eventbus.Bus
	handler(&south, "order", "placed", "south.Ship", says("shipped from the south"))
	north.Register("order", eventbus.Any, south.Call)
	handler(&north, "order", "placed", "north.Note", says("noted in the north"))

	fmt.Println(north.Call(ctx, eventbus.MustData("order", "placed", nil)))
	// Output:
	// shipped from the south
	// noted in the north
	// <nil>
}
