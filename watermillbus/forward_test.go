package watermillbus_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
)

func TestMessage(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89, time.FixedZone("", 3600))
	identify := func(context.Context, eventbus.Data) (string, time.Time) { return "é 1", at }
	own := map[string]string{
		"eventbus_domain": "order", "eventbus_action": "placed", "eventbus_id": "é 1", "eventbus_time": "2026-03-04T04:06:07.000000089Z",
	}
	for _, tt := range []struct {
		name    string
		pairs   map[string]string // of the context
		params  string
		options watermillbus.Options
		want    map[string]string // beside own
	}{
		{"no params", nil, "", watermillbus.Options{}, nil},
		{"byte for byte", nil, " {\"a\":1.0,\n\"a\":\"\\u0041<\" } ", watermillbus.Options{}, nil},
		{
			"metadata and trace context", map[string]string{"request_id": "r-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "empty": ""},
			`1`, watermillbus.Options{},
			map[string]string{"request_id": "r-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "empty": ""},
		},
		{
			"pairs of another message", map[string]string{"eventbus_id": "old", "eventbus_received": "x", "ce-id": "old", "ce-subject": "old", "correlation_id": "c"},
			`1`, watermillbus.Options{},
			map[string]string{"correlation_id": "c"},
		},
		{
			"CloudEvents", nil, `{"n":1}`, watermillbus.Options{Source: `https://shop.example.org/"50% off"`},
			map[string]string{
				"ce-id": "%C3%A9%201", "ce-source": "https://shop.example.org/%2250%25%20off%22", "ce-specversion": "1.0", "ce-type": "order.placed",
				"ce-time": "2026-03-04T04:06:07.000000089Z", "ce-datacontenttype": "application/json",
			},
		},
		{
			"CloudEvents without params", map[string]string{"ce-datacontenttype": "text/plain"}, "", watermillbus.Options{Source: "/shop"},
			map[string]string{"ce-id": "%C3%A9%201", "ce-source": "/shop", "ce-specversion": "1.0", "ce-type": "order.placed", "ce-time": "2026-03-04T04:06:07.000000089Z"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := message.Metadata{}
			for _, pairs := range []map[string]string{own, tt.want} {
				maps.Copy(want, pairs)
			}
			var topics []string
			var msgs []*message.Message
			p := publisher(func(topic string, m *message.Message) error {
				topics = append(topics, topic)
				return keep(&msgs)(topic, m)
			})
			tt.options.Identify = identify
			ctx := metadata.WithAll(t.Context(), tt.pairs)
			data := eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte(tt.params)}
			if err := watermillbus.Forward(p, "orders", &tt.options)(ctx, data); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"orders"}, topics); diff != "" {
				t.Fatalf("topics (-want +got):\n%s", diff)
			}
			m := msgs[0]
			if m.UUID != "é 1" || string(m.Payload) != tt.params {
				t.Errorf("message %q with payload %q, want é 1 with %q", m.UUID, m.Payload, tt.params)
			}
			if diff := cmp.Diff(want, m.Metadata); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIDAndTimeByDefault(t *testing.T) {
	nothing := func(context.Context, eventbus.Data) (string, time.Time) { return "", time.Time{} }
	for name, o := range map[string]*watermillbus.Options{"no options": nil, "Identify returns nothing": {Identify: nothing}} {
		t.Run(name, func(t *testing.T) {
			var msgs []*message.Message
			forward := watermillbus.Forward(keep(&msgs), "orders", o)
			before := time.Now()
			for range 2 {
				if err := forward(t.Context(), eventbus.MustData("order", "placed", nil)); err != nil {
					t.Fatal(err)
				}
			}
			after := time.Now()
			for _, m := range msgs {
				if m.UUID == "" || m.UUID != m.Metadata[watermillbus.IDKey] {
					t.Errorf("UUID %q and id %q, want the same", m.UUID, m.Metadata[watermillbus.IDKey])
				}
				at, err := time.Parse(time.RFC3339Nano, m.Metadata[watermillbus.TimeKey])
				if err != nil || at.Before(before.Round(0)) || at.After(after.Round(0)) {
					t.Errorf("time %v (%v), want one from %v to %v", at, err, before, after)
				}
			}
			if msgs[0].UUID == msgs[1].UUID {
				t.Errorf("two events have the id %q", msgs[0].UUID)
			}
		})
	}
}

func TestThePublisherGetsTheContextAndItsOwnPayload(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "span")
	data := eventbus.MustData("order", "placed", 7)
	p := publisher(func(_ string, m *message.Message) error {
		if got := m.Context().Value(key{}); got != "span" {
			t.Errorf("the message's context has %v", got)
		}
		m.Payload[0] = '!'
		return nil
	})
	if err := watermillbus.Forward(p, "orders", nil)(ctx, data); err != nil {
		t.Fatal(err)
	}
	if string(data.RawParams) != "7" {
		t.Errorf("a publisher that writes to the payload made RawParams %q", data.RawParams)
	}
}

func TestTheProducerSeesThatTheBrokerIsDown(t *testing.T) {
	down := errors.New("connection refused")
	forward := watermillbus.Forward(publisher(func(string, *message.Message) error { return down }), "orders", nil)
	for _, tt := range []struct {
		name    string
		handler string
		on      func(*eventbus.Bus)
	}{
		{"registered", "watermillbus.forwarder.Forward", func(b *eventbus.Bus) { b.Register("order", "placed", forward) }},
		{"named", "orders to NATS", func(b *eventbus.Bus) {
			b.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "orders to NATS"}, forward)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := eventbus.New(nil)
			tt.on(bus)
			for h := range bus.Handlers() {
				if h.Name != tt.handler || !strings.Contains(h.Source, "watermillbus_test/forward_test.go:") {
					t.Errorf("handler %q at %q, want %q where it was registered", h.Name, h.Source, tt.handler)
				}
			}
			err := bus.Call(t.Context(), eventbus.MustData("order", "placed", "secret"))
			if !errors.Is(err, down) || eventbus.IsPermanent(err) {
				t.Errorf("error %v: want the publisher's, and not for good", err)
			}
			want := "order/placed: handler " + tt.handler + ": watermillbus: forward order/placed to topic orders: connection refused"
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestForwardRefusesWhatNoReceiverWouldTake(t *testing.T) {
	for name, data := range map[string]eventbus.Data{
		"no domain": {Action: "placed"},
		"no action": {Domain: "order"},
		"no JSON":   {Domain: "order", Action: "placed", RawParams: []byte(`"secret`)},
		"two JSONs": {Domain: "order", Action: "placed", RawParams: []byte(`"secret" 2`)},
	} {
		t.Run(name, func(t *testing.T) {
			var msgs []*message.Message
			err := watermillbus.Forward(keep(&msgs), "orders", nil)(t.Context(), data)
			if !errors.Is(err, watermillbus.ErrMalformed) || !eventbus.IsPermanent(err) || len(msgs) > 0 {
				t.Fatalf("error %v and %d messages, want ErrMalformed for good and none", err, len(msgs))
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the params: %v", err)
			}
		})
	}
}

func TestForwardHeedsACanceledContext(t *testing.T) {
	why := errors.New("the client is gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	var msgs []*message.Message
	err := watermillbus.Forward(keep(&msgs), "orders", nil)(ctx, eventbus.MustData("order", "placed", nil))
	if !errors.Is(err, why) || len(msgs) > 0 {
		t.Errorf("error %v and %d messages, want %v and none", err, len(msgs), why)
	}
}

func TestMisuseAtWiringPanics(t *testing.T) {
	var msgs []*message.Message
	for name, wire := range map[string]func(){
		"no publisher": func() { watermillbus.Forward(nil, "orders", nil) },
		"no topic":     func() { watermillbus.Forward(keep(&msgs), "", nil) },
		"no dispatch":  func() { watermillbus.Dispatch(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "watermillbus: ") {
					t.Errorf("panic %q, want one of watermillbus", s)
				}
			}()
			wire()
		})
	}
}
