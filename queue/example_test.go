package queue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/queue"
)

type user struct{ Name string }

// One handler leaves its caller's goroutine, the other stays.
func Example() {
	ctx := context.Background()
	q := queue.New(queue.Options{
		OnError: func(_ context.Context, job queue.Job, err error) { fmt.Println("failed:", err) },
	})
	var bus eventbus.Bus
	eventbus.On(&bus, "user", "created", func(_ context.Context, u user) error {
		fmt.Println("stored", u.Name)
		return nil
	})
	stored := make(chan struct{})
	bus.Handle(eventbus.Handler{Domain: "user", Action: "created", Name: "mail.Welcome"},
		func(context.Context, eventbus.Data) error {
			<-stored // slow, but nobody waits for it
			return errors.New("smtp is down")
		}, q.Async(0))

	fmt.Println("call:", bus.Call(ctx, eventbus.MustData("user", "created", user{"Ada"})))
	close(stored)
	fmt.Println("drain:", q.Drain(ctx))
	fmt.Printf("%+v\n", q.Stats())
	// Output:
	// stored Ada
	// call: <nil>
	// failed: user/created: handler mail.Welcome: smtp is down
	// drain: <nil>
	// {Accepted:1 Done:0 Failed:1 Dropped:0 Canceled:0 Waiting:0 Scheduled:0 Running:0}
}

// A whole event later, and what its handlers make of it.
func ExampleQueue_Publish() {
	ctx := context.Background()
	q := queue.New(queue.Options{
		OnError: func(_ context.Context, job queue.Job, err error) {
			fmt.Printf("%s failed: %v\n", job.Handler.Name, err)
		},
	})
	var bus eventbus.Bus
	bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "stock.Reserve"},
		func(context.Context, eventbus.Data) error { return errors.New("sold out") })

	fmt.Println("accepted:", q.Publish(ctx, &bus, eventbus.MustData("order", "placed", 42)))
	fmt.Println("drained:", q.Drain(ctx))
	fmt.Println("refused:", q.Publish(ctx, &bus, eventbus.MustData("order", "placed", 43)))
	// Unordered output:
	// accepted: <nil>
	// Publish failed: order/placed: handler stock.Reserve: sold out
	// drained: <nil>
	// refused: queue: accept order/placed for Publish: the queue is closed
}

func ExampleQueue_Async_priorities() {
	ctx := context.Background()
	q := queue.New(queue.Options{Workers: 1})
	var bus eventbus.Bus
	ready := make(chan struct{})
	bus.Register("app", "started", func(context.Context, eventbus.Data) error { <-ready; return nil }, q.Async(100))
	say := func(_ context.Context, d eventbus.Data) error {
		fmt.Println(d)
		return nil
	}
	bus.Register("report", eventbus.Any, say, q.Async(-10))
	bus.Register("mail", eventbus.Any, say, q.Async(0))
	bus.Register("alarm", eventbus.Any, say, q.Async(10))

	for _, e := range []eventbus.Data{
		{Domain: "app", Action: "started"}, // occupies the only worker until all others wait
		{Domain: "report", Action: "monthly"},
		{Domain: "mail", Action: "first"},
		{Domain: "mail", Action: "second"},
		{Domain: "alarm", Action: "fire"},
	} {
		if err := bus.Call(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	close(ready)
	fmt.Println("drain:", q.Drain(ctx))
	// Output:
	// alarm/fire
	// mail/first
	// mail/second
	// report/monthly
	// drain: <nil>
}

// Events for later. One is taken back, and one comes too late for the shutdown.
func ExampleQueue_After() {
	ctx := context.Background()
	q := queue.New(queue.Options{
		OnDrop: func(_ context.Context, job queue.Job, err error) { fmt.Println("dropped:", err) },
	})
	var bus eventbus.Bus
	reminded := make(chan struct{})
	bus.Register("cart", "abandoned", func(_ context.Context, d eventbus.Data) error {
		fmt.Printf("reminder for cart %s\n", d.RawParams)
		close(reminded)
		return nil
	})
	remind := func(after time.Duration, cart int) *queue.Timer {
		timer, err := q.After(ctx, after, bus.Publish, eventbus.MustData("cart", "abandoned", cart))
		if err != nil {
			fmt.Println(err)
		}
		return timer
	}
	remind(time.Millisecond, 1)
	paid := remind(time.Hour, 2)
	remind(time.Hour, 3)

	<-reminded
	fmt.Println("stopped:", paid.Stop())
	fmt.Println(q.Close(ctx))
	// Output:
	// reminder for cart 1
	// stopped: true
	// dropped: cart/abandoned: handler eventbus.(*Bus).Publish: not run: the queue is closed
	// queue: closed with 1 jobs not run and 0 interrupted
}

// Page views go to the database three at a time, or after a second.
func ExampleBatch() {
	type view struct{ Page string }
	ctx := context.Background()
	q := queue.New(queue.Options{Workers: 1, OnError: func(_ context.Context, _ queue.Job, err error) {
		if lost, ok := errors.AsType[*queue.BatchError[view]](err); ok {
			fmt.Println("lost", lost.Items, "since", lost.Err)
		}
	}})
	insert := func(_ context.Context, views []view) error {
		if len(views) == 1 {
			return errors.New("the disk is full")
		}
		fmt.Println("insert", views)
		return nil
	}
	var bus eventbus.Bus
	eventbus.On(&bus, "page", "viewed", queue.NewBatch(q, 3, time.Second, insert).Add)

	for _, page := range []string{"home", "shoes", "cart", "pay"} {
		if err := bus.Call(ctx, eventbus.MustData("page", "viewed", view{page})); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("drain:", q.Drain(ctx)) // hands over what is left
	// Output:
	// insert [{home} {shoes} {cart}]
	// lost [{pay}] since the disk is full
	// drain: <nil>
}

// At shutdown the queue has five seconds to finish; what can't be done by then is
// named, so that it can be stored for the next start.
func ExampleQueue_Close() {
	q := queue.New(queue.Options{
		Workers: 1,
		OnError: func(_ context.Context, job queue.Job, err error) { fmt.Println("interrupted:", job.Data) },
		OnDrop:  func(_ context.Context, job queue.Job, err error) { fmt.Println("never ran:", job.Data) },
	})
	var bus eventbus.Bus
	exporting := make(chan struct{})
	bus.Register("report", "due", func(ctx context.Context, _ eventbus.Data) error {
		close(exporting)
		<-ctx.Done() // a very long export
		return context.Cause(ctx)
	})
	for _, e := range []eventbus.Data{{Domain: "report", Action: "due"}, {Domain: "mail", Action: "due"}} {
		if err := q.Publish(context.Background(), &bus, e); err != nil {
			fmt.Println(err)
		}
	}

	<-exporting
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	cancel() // or the five seconds are over
	fmt.Println(q.Close(ctx))
	// Unordered output:
	// interrupted: report/due
	// never ran: mail/due
	// queue: closed with 1 jobs not run and 1 interrupted: context canceled
}
