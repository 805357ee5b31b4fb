package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a broker that can go away and come back, on the same port and with
// what it had stored.
type server interface {
	start(t *testing.T)
	stop(t *testing.T)
	// publisher returns one that gives up soon where the server is down.
	publisher(t *testing.T) message.Publisher
	// subscriber returns the one consumer of what is in a topic and comes into it,
	// in order, also where messages are nacked.
	subscriber(t *testing.T) message.Subscriber
	// unacked returns how many messages of topic events the consumer hasn't acked.
	unacked(t *testing.T) int
}

func eachServer(t *testing.T, test func(t *testing.T, s server)) {
	for name, newServer := range map[string]func(*testing.T) server{"NATS JetStream": newNATS, "Redis Streams": newRedis} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.start(t)
			test(t, s)
		})
	}
}

// patience is how long a test waits for what must come; a slow machine must not
// fail one.
const patience = time.Minute

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s after %v", what, patience)
		panic("unreachable")
	}
}

func closeAtEnd(t *testing.T, c interface{ Close() error }) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// allAcked waits until the consumer has acked all messages of topic events.
func allAcked(t *testing.T, s server) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.unacked(t) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages aren't acked after %v", s.unacked(t), patience)
		}
	}
}

// route dispatches what comes to topic events, within mw, until the test ends or
// stop is called.
func route(t *testing.T, s server, dispatch eventbus.Func, mw ...message.HandlerMiddleware) (stop func()) {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(mw...)
	router.AddConsumerHandler("dispatch", "events", s.subscriber(t), watermillbus.Dispatch(dispatch))
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	var stopped atomic.Bool
	stop = func() {
		if !stopped.Swap(true) {
			if err := errors.Join(router.Close(), wait(t, "end of the router", done)); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	wait(t, "start of the router", router.Running())
	return stop
}

type order struct{ Key, N int }

// 1,000 events of 10 keys, some of them nacked at first: none is lost, none
// handled twice with success, and those of a key come in order.
func TestManyEventsInOrder(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		const events, keys = 1000, 10
		bus := eventbus.New(nil)
		done := make(chan struct{})
		var got [keys][]int
		var refused atomic.Int64
		nacked, handled := map[order]bool{}, 0
		eventbus.On(bus, "order", "placed", func(ctx context.Context, o order) error {
			if o.N%37 == 0 && !nacked[o] {
				nacked[o] = true
				refused.Add(1)
				return errors.New("busy")
			}
			if want := fmt.Sprint("r-", o.Key); metadata.Get(ctx, "request_id") != want {
				t.Errorf("request_id %q, want %s", metadata.Get(ctx, "request_id"), want)
			}
			got[o.Key] = append(got[o.Key], o.N)
			if handled++; handled == events {
				close(done)
			}
			return nil
		})
		route(t, s, bus.Call)

		producer := eventbus.New(nil)
		producer.Register("order", "placed", watermillbus.Forward(s.publisher(t), "events", nil))
		var want [keys][]int
		for i := range events {
			o := order{i % keys, i / keys}
			want[o.Key] = append(want[o.Key], o.N)
			ctx := metadata.With(t.Context(), "request_id", fmt.Sprint("r-", o.Key))
			if err := producer.Call(ctx, eventbus.MustData("order", "placed", o)); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, "end of the events", done)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events by key (-want +got):\n%s", diff)
		}
		if n := refused.Load(); n != keys*3 {
			t.Errorf("%d events were nacked, want %d", n, keys*3)
		}
	})
}

// What is acked isn't delivered again, to the next process either; what is nacked
// is, and so is what a process left when it went.
func TestAckAndNack(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		calls := make(chan string, 10)
		nacked := make(chan struct{}, 10)
		fail := true
		handler := func(name string) eventbus.Func {
			return func(_ context.Context, d eventbus.Data) error {
				calls <- name + string(d.RawParams)
				if fail && string(d.RawParams) == "1" {
					fail = false
					nacked <- struct{}{}
					return errors.New("busy")
				}
				return nil
			}
		}
		forward := watermillbus.Forward(s.publisher(t), "events", nil)
		send := func(n int) {
			t.Helper()
			if err := forward(t.Context(), eventbus.MustData("order", "placed", n)); err != nil {
				t.Fatal(err)
			}
		}
		stop := route(t, s, handler("first "))
		send(1)
		send(2)
		wait(t, "nack", nacked)
		for _, want := range []string{"first 1", "first 1", "first 2"} {
			if got := wait(t, "call", calls); got != want {
				t.Errorf("call %q, want %q", got, want)
			}
		}
		allAcked(t, s)
		stop()
		send(3)
		if n := s.unacked(t); n != 1 {
			t.Errorf("%d messages wait in the broker, want 1", n)
		}
		route(t, s, handler("second "))
		if got := wait(t, "call", calls); got != "second 3" {
			t.Errorf("call %q of the second process, want second 3", got)
		}
		allAcked(t, s)
	})
}

// What a shutdown cuts off stays unacked, whatever becomes of its handler.
func TestShutdown(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		begun := make(chan struct{})
		stop := route(t, s, func(ctx context.Context, _ eventbus.Data) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		if err := watermillbus.Forward(s.publisher(t), "events", nil)(t.Context(), eventbus.MustData("order", "placed", 7)); err != nil {
			t.Fatal(err)
		}
		wait(t, "handler", begun)
		stop()
		if n := s.unacked(t); n != 1 {
			t.Errorf("%d messages are unacked, want 1", n)
		}
	})
}

func TestPoisonQueue(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		pub := s.publisher(t)
		bus := eventbus.New(nil)
		bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "charge"}, func(context.Context, eventbus.Data) error {
			return eventbus.Permanent(errors.New("no such account"))
		})
		last := make(chan struct{})
		bus.Register("order", "paid", func(context.Context, eventbus.Data) error { close(last); return nil })
		poison, err := middleware.PoisonQueueWithFilter(pub, "poison", eventbus.IsPermanent)
		if err != nil {
			t.Fatal(err)
		}
		route(t, s, bus.Publish, poison)
		poisoned, err := s.subscriber(t).Subscribe(t.Context(), "poison")
		if err != nil {
			t.Fatal(err)
		}

		if err := watermillbus.Forward(pub, "events", nil)(t.Context(), eventbus.MustData("order", "placed", 7)); err != nil {
			t.Fatal(err)
		}
		if err := pub.Publish("events", message.NewMessage("m-1", []byte("not an event"))); err != nil {
			t.Fatal(err)
		}
		if err := watermillbus.Forward(pub, "events", nil)(t.Context(), eventbus.MustData("order", "paid", 7)); err != nil {
			t.Fatal(err)
		}
		wait(t, "event behind them", last)
		m := wait(t, "poisoned message", poisoned)
		if string(m.Payload) != "7" || m.Metadata[watermillbus.ActionKey] != "placed" {
			t.Errorf("poisoned %q %v, want the order", m.Payload, m.Metadata)
		}
		m.Ack()
		m = wait(t, "poisoned message", poisoned)
		if string(m.Payload) != "not an event" || m.UUID != "m-1" {
			t.Errorf("poisoned %q %v, want m-1", m.Payload, m.Metadata)
		}
		m.Ack()
	})
}

// Without a reaction of package durable around it, Forward has nowhere to keep
// an event that the broker doesn't take: the producer is told.
func TestTheBrokerGoesAndComesBack(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		calls := make(chan string, 10)
		consumer := eventbus.New(nil)
		consumer.Register("order", "placed", func(_ context.Context, d eventbus.Data) error {
			calls <- string(d.RawParams)
			return nil
		})
		producer := eventbus.New(nil)
		producer.Register("order", "placed", watermillbus.Forward(s.publisher(t), "events", nil))
		send := func(n int) error { return producer.Call(t.Context(), eventbus.MustData("order", "placed", n)) }

		stop := route(t, s, consumer.Call)
		if err := send(1); err != nil {
			t.Fatal(err)
		}
		if got := wait(t, "event", calls); got != "1" {
			t.Fatalf("event %s, want 1", got)
		}
		allAcked(t, s)
		stop()
		if err := send(2); err != nil { // waits in the broker
			t.Fatal(err)
		}

		s.stop(t)
		err := send(3)
		h, ok := errors.AsType[*eventbus.HandlerError](err)
		if !ok || h.Handler.Name != "watermillbus.forwarder.Forward" || eventbus.IsPermanent(err) {
			t.Fatalf("error %v, want Forward's, and not for good", err)
		}
		t.Log(err)

		s.start(t)
		deadline := time.Now().Add(patience)
		for err = send(4); err != nil && time.Now().Before(deadline); err = send(4) { // until the client has connected again
		}
		if err != nil {
			t.Fatalf("%v after the server's return: %v", patience, err)
		}
		route(t, s, consumer.Call)
		for _, want := range []string{"2", "4"} {
			if got := wait(t, "event", calls); got != want {
				t.Errorf("event %s, want %s", got, want)
			}
		}
		allAcked(t, s)
	})
}

// CloudEvents' names of headers, and values beyond ASCII, get through a broker.
func TestPairsGetThrough(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		pairs := map[string]string{
			"request_id": "r-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage": "user=Ann%20B,k=v;p=1",
			"city": "Zürich", "empty": "", "json": `{"a": "b: c"}`,
		}
		got := make(chan map[string]string, 1)
		route(t, s, func(ctx context.Context, d eventbus.Data) error {
			got <- metadata.All(ctx)
			return nil
		})
		o := watermillbus.Options{Source: "/läden/1", Identify: func(context.Context, eventbus.Data) (string, time.Time) {
			return "id-1", time.Unix(1, 2)
		}}
		ctx := metadata.WithAll(t.Context(), pairs)
		if err := watermillbus.Forward(s.publisher(t), "events", &o)(ctx, eventbus.MustData("order", "placed", "ü")); err != nil {
			t.Fatal(err)
		}
		all := wait(t, "event", got)
		maps.Copy(pairs, map[string]string{
			"eventbus_id": "id-1", "eventbus_time": "1970-01-01T00:00:01.000000002Z", "eventbus_domain": "order", "eventbus_action": "placed",
			"ce-id": "id-1", "ce-source": "/l%C3%A4den/1", "ce-specversion": "1.0", "ce-type": "order.placed",
			"ce-time": "1970-01-01T00:00:01.000000002Z", "ce-datacontenttype": "application/json",
		})
		delete(all, "eventbus_received")
		if diff := cmp.Diff(pairs, all); diff != "" {
			t.Errorf("pairs (-sent +got):\n%s", diff)
		}
	})
}
