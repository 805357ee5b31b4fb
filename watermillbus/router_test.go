package watermillbus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/google/go-cmp/cmp"
)

// newBroker returns an in-memory broker. Its Publish waits until the message is acked,
// which is what makes the tests below need no clock.
func newBroker(t *testing.T) *gochannel.GoChannel {
	g := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// route dispatches what comes to topic events, within mw.
func route(t *testing.T, sub message.Subscriber, dispatch eventbus.Func, mw ...message.HandlerMiddleware) {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(mw...)
	router.AddConsumerHandler("dispatch", "events", sub, watermillbus.Dispatch(dispatch))
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := errors.Join(router.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	<-router.Running()
}

func retry(times int) message.HandlerMiddleware {
	return middleware.Retry{MaxRetries: times, InitialInterval: time.Nanosecond, ShouldRetry: func(p middleware.RetryParams) bool {
		return !eventbus.IsPermanent(p.Err)
	}}.Middleware
}

// failing returns a handler that fails the first times, and its count of calls.
func failing(times int64, err error) (eventbus.Func, *atomic.Int64) {
	calls := new(atomic.Int64)
	return func(context.Context, eventbus.Data) error {
		if calls.Add(1) <= times {
			return err
		}
		return nil
	}, calls
}

func TestOverABroker(t *testing.T) {
	broker := newBroker(t)
	here, there := eventbus.New(nil), eventbus.New(nil)
	here.Register("order", "placed", watermillbus.Forward(broker, "events", nil))
	var got []string
	eventbus.On(there, "order", "placed", func(ctx context.Context, n int) error {
		got = append(got, metadata.Get(ctx, "traceparent"))
		if n != 7 {
			t.Errorf("n = %d, want 7", n)
		}
		return nil
	})
	route(t, broker, there.Call)
	ctx := metadata.With(t.Context(), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := here.Call(ctx, eventbus.MustData("order", "placed", 7)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFailureIsRedelivered(t *testing.T) {
	broker := newBroker(t)
	bus := eventbus.New(nil)
	handler, calls := failing(3, errors.New("busy"))
	bus.Register("order", "placed", handler)
	route(t, broker, bus.Publish)
	if err := watermillbus.Forward(broker, "events", nil)(t.Context(), eventbus.MustData("order", "placed", nil)); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 4 {
		t.Errorf("%d calls, want 3 that fail and 1 that doesn't", n)
	}
}

// The poison queue that the package comment shows takes what no redelivery can
// mend, and that alone.
func TestPoison(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message *message.Message
		handler eventbus.Func
		want    string // the reason
	}{
		{"malformed", newMessage("1"), nil, `watermillbus: dispatch message uuid-1: malformed: neither an event's domain and action nor a CloudEvent 1.0 (ce-specversion is "")`},
		{"no JSON", newMessage("x", "eventbus_domain", "order", "eventbus_action", "placed"), nil, "watermillbus: dispatch message uuid-1: malformed: the params are not JSON"},
		{"permanent", newMessage("1", "eventbus_domain", "order", "eventbus_action", "placed"), func(context.Context, eventbus.Data) error {
			return eventbus.Permanent(errors.New("no such account"))
		}, "watermillbus: dispatch message uuid-1: order/placed: handler charge: no such account"},
		{"retried", newMessage("1", "eventbus_domain", "order", "eventbus_action", "placed"), func() eventbus.Func {
			handler, _ := failing(2, errors.New("busy"))
			return handler
		}(), ""},
		{"nacked until it is done", newMessage("1", "eventbus_domain", "order", "eventbus_action", "placed"), func() eventbus.Func {
			handler, _ := failing(9, errors.New("busy"))
			return handler
		}(), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broker := newBroker(t)
			var poisoned []*message.Message
			poison, err := middleware.PoisonQueueWithFilter(keep(&poisoned), "poison", eventbus.IsPermanent)
			if err != nil {
				t.Fatal(err)
			}
			bus := eventbus.New(nil)
			if tt.handler != nil {
				bus.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "charge"}, tt.handler)
			}
			route(t, broker, bus.Call, poison, retry(3))
			if err := broker.Publish("events", tt.message); err != nil {
				t.Fatal(err)
			}
			var reasons []string
			for _, m := range poisoned {
				if m.UUID != "uuid-1" || string(m.Payload) != string(tt.message.Payload) {
					t.Errorf("poisoned %v, want the message", m)
				}
				reasons = append(reasons, m.Metadata[middleware.ReasonForPoisonedKey])
			}
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if diff := cmp.Diff(want, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeduplicator(t *testing.T) {
	for _, tt := range []struct {
		name         string
		inside       bool // Retry and PoisonQueue, as the package comment shows
		fails        int64
		calls, given int // up to the poison queue
	}{
		{"a duplicate is dropped", true, 0, 1, 0},
		{"a failure is retried", true, 2, 3, 0},
		{"a failure that stays", true, 99, 4, 1},
		{"the warning holds: nacked, then dropped", false, 99, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broker := newBroker(t)
			dedupe := &middleware.Deduplicator{KeyFactory: middleware.NewMessageHasherFromMetadataField(watermillbus.IDKey)}
			var poisoned []*message.Message
			poison, err := middleware.PoisonQueue(keep(&poisoned), "poison")
			if err != nil {
				t.Fatal(err)
			}
			mw := []message.HandlerMiddleware{dedupe.Middleware}
			if tt.inside {
				mw = append(mw, poison, retry(3))
			}
			bus := eventbus.New(nil)
			handler, calls := failing(tt.fails, errors.New("busy"))
			bus.Register("order", "placed", handler)
			route(t, broker, bus.Call, mw...)
			again := &watermillbus.Options{Identify: func(context.Context, eventbus.Data) (string, time.Time) { return "order-7", time.Time{} }}
			for range 2 {
				if err := watermillbus.Forward(broker, "events", again)(t.Context(), eventbus.MustData("order", "placed", nil)); err != nil {
					t.Fatal(err)
				}
			}
			if int(calls.Load()) != tt.calls || len(poisoned) != tt.given {
				t.Errorf("%d calls and %d given up, want %d and %d", calls.Load(), len(poisoned), tt.calls, tt.given)
			}
		})
	}
}
