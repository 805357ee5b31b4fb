package watermillbus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
)

func TestDispatchMakesAnEvent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		msg   *message.Message
		want  eventbus.Data
		pairs map[string]string // that a handler finds
	}{
		{
			"of Forward", newMessage(` {"n": 1}`, "eventbus_domain", "order", "eventbus_action", "placed", "eventbus_id", "id-1", "request_id", "r-1"),
			eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte(` {"n": 1}`)},
			map[string]string{"eventbus_id": "id-1", "request_id": "r-1", "eventbus_domain": "order", "eventbus_action": "placed"},
		},
		{
			"without params", newMessage("", "eventbus_domain", "order", "eventbus_action", "placed"),
			eventbus.Data{Domain: "order", Action: "placed"},
			map[string]string{"eventbus_id": "uuid-1"},
		},
		{
			"CloudEvent", newMessage(`1`, "ce-specversion", "1.0", "ce-type", "com.example.order.placed", "ce-id", "%C3%A9%201", "ce-source", "/py", "ce-time", "2026-03-04T04:06:07Z", "ce-subject", "s"),
			eventbus.Data{Domain: "com.example.order", Action: "placed", RawParams: []byte("1")},
			map[string]string{"eventbus_id": "é 1", "eventbus_time": "2026-03-04T04:06:07Z", "ce-subject": "s", "ce-source": "/py", "eventbus_domain": "com.example.order", "eventbus_action": "placed"},
		},
		{
			"CloudEvent of Forward, with dots in its names", newMessage(`1`, "eventbus_domain", "order", "eventbus_action", "placed.v2", "eventbus_id", "a", "ce-specversion", "1.0", "ce-type", "order.placed.v2", "ce-id", "a"),
			eventbus.Data{Domain: "order", Action: "placed.v2", RawParams: []byte("1")},
			map[string]string{"eventbus_id": "a"},
		},
		{
			"CloudEvent encoded badly", newMessage(`1`, "ce-specversion", "1.0", "ce-type", "order.placed", "ce-id", "100%"),
			eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte("1")},
			map[string]string{"eventbus_id": "100%"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			type key struct{}
			tt.msg.SetContext(context.WithValue(metadata.With(t.Context(), "from", "the subscriber"), key{}, "kept"))
			sent := tt.msg.Copy()
			calls := 0
			err := watermillbus.Dispatch(func(ctx context.Context, data eventbus.Data) error {
				calls++
				if diff := cmp.Diff(tt.want, data); diff != "" {
					t.Errorf("data (-want +got):\n%s", diff)
				}
				all := metadata.All(ctx)
				for k, want := range tt.pairs {
					if got := all[k]; got != want {
						t.Errorf("pair %s = %q, want %q", k, got, want)
					}
				}
				if all["from"] != "the subscriber" || ctx.Value(key{}) != "kept" {
					t.Error("the message's context is lost")
				}
				return nil
			})(tt.msg)
			if err != nil || calls != 1 {
				t.Errorf("error %v after %d dispatches, want none after 1", err, calls)
			}
			if !tt.msg.Equals(sent) {
				t.Errorf("the message was changed to %v", tt.msg)
			}
		})
	}
}

func TestNobodyHandlesTheEvent(t *testing.T) {
	msg := newMessage(`1`, "eventbus_domain", "order", "eventbus_action", "placed")
	if err := watermillbus.Dispatch(eventbus.New(nil).Call)(msg); err != nil {
		t.Errorf("error %v, want none, so that the message is acked", err)
	}
}

func TestMalformedMessages(t *testing.T) {
	for name, msg := range map[string]*message.Message{
		"nothing":                    newMessage(""),
		"no domain":                  newMessage("1", "eventbus_action", "placed"),
		"no action":                  newMessage("1", "eventbus_domain", "order"),
		"half an event, CloudEvent":  newMessage("1", "eventbus_domain", "order", "ce-specversion", "1.0", "ce-type", "order.placed"),
		"no JSON":                    newMessage(`{"n":secret}`, "eventbus_domain", "order", "eventbus_action", "placed"),
		"CloudEvent, no JSON":        newMessage("secret", "ce-specversion", "1.0", "ce-type", "order.placed", "ce-datacontenttype", "text/plain"),
		"CloudEvent, no type":        newMessage("1", "ce-specversion", "1.0", "ce-id", "a"),
		"CloudEvent, no dot":         newMessage("1", "ce-specversion", "1.0", "ce-type", "placed"),
		"CloudEvent, no domain":      newMessage("1", "ce-specversion", "1.0", "ce-type", ".placed"),
		"CloudEvent, no action":      newMessage("1", "ce-specversion", "1.0", "ce-type", "order."),
		"CloudEvent, of another age": newMessage("1", "ce-specversion", "0.3", "ce-type", "order.placed"),
		"CloudEvent, structured":     newMessage(`{"specversion":"1.0","type":"order.placed"}`, "content-type", "application/cloudevents+json"),
	} {
		t.Run(name, func(t *testing.T) {
			err := watermillbus.Dispatch(func(_ context.Context, data eventbus.Data) error {
				t.Errorf("dispatched %v", data)
				return nil
			})(msg)
			if !errors.Is(err, watermillbus.ErrMalformed) || !eventbus.IsPermanent(err) {
				t.Fatalf("error %v, want ErrMalformed for good", err)
			}
			if !strings.HasPrefix(err.Error(), "watermillbus: dispatch message uuid-1: malformed: ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is to name the message and not to quote it: %v", err)
			}
		})
	}
}

// A message is given up only when nothing is left that trying again could mend.
func TestPermanentErrors(t *testing.T) {
	broken, busy := errors.New("no such account"), errors.New("busy")
	forGood := eventbus.Permanent(broken)
	fails := func(err error) eventbus.Func { return func(context.Context, eventbus.Data) error { return err } }
	// nested is a handler that publishes an event with handlers of its own.
	nested := func(wrap string, errs ...error) eventbus.Func {
		return func(ctx context.Context, _ eventbus.Data) error {
			bus := eventbus.New(nil)
			for _, err := range errs {
				bus.Register("mail", "due", fails(err))
			}
			err := bus.Publish(ctx, eventbus.MustData("mail", "due", nil))
			if wrap != "" {
				err = fmt.Errorf(wrap, err)
			}
			return err
		}
	}
	for _, tt := range []struct {
		name     string
		handlers []eventbus.Func
		want     bool
	}{
		{"one, for good", []eventbus.Func{fails(forGood)}, true},
		{"one, for now", []eventbus.Func{fails(busy)}, false},
		{"wrapped", []eventbus.Func{fails(fmt.Errorf("charge: %w", forGood))}, true},
		{"two kinds in one error", []eventbus.Func{fails(fmt.Errorf("%w: %w", busy, forGood))}, true},
		{"params that don't fit", []eventbus.Func{func(_ context.Context, d eventbus.Data) error {
			_, err := eventbus.Decode[string](d)
			return err
		}}, true},
		{"success and for good", []eventbus.Func{fails(nil), fails(forGood)}, true},
		{"all for good", []eventbus.Func{fails(forGood), fails(forGood)}, true},
		{"one for good and one for now", []eventbus.Func{fails(forGood), fails(busy)}, false},
		{"one for now and one for good", []eventbus.Func{fails(busy), fails(forGood)}, false},
		{"nested, all for good", []eventbus.Func{nested("", forGood, forGood)}, true},
		{"nested, mixed", []eventbus.Func{nested("", forGood, busy)}, false},
		{"nested, mixed, wrapped", []eventbus.Func{nested("announce: %w", forGood, busy), fails(forGood)}, false},
		{"a panic", []eventbus.Func{func(context.Context, eventbus.Data) error { panic("secret") }}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := eventbus.New(nil)
			for _, h := range tt.handlers {
				bus.Register("order", "placed", h)
			}
			msg := newMessage(`1`, "eventbus_domain", "order", "eventbus_action", "placed")
			err := watermillbus.Dispatch(bus.Publish)(msg)
			if err == nil || eventbus.IsPermanent(err) != tt.want {
				t.Errorf("permanent %v of %v, want %v", eventbus.IsPermanent(err), err, tt.want)
			}
			// Whatever else there is to find stays to be found.
			plain := bus.Publish(t.Context(), eventbus.MustData("order", "placed", 1))
			for _, target := range []error{broken, busy} {
				if errors.Is(err, target) != errors.Is(plain, target) {
					t.Errorf("errors.Is(err, %v) = %v, and %v of the bus's error", target, errors.Is(err, target), errors.Is(plain, target))
				}
			}
			if h, ok := errors.AsType[*eventbus.HandlerError](err); !ok || h.Domain != "order" {
				t.Errorf("no HandlerError of order in %v", err)
			}
			if want := "watermillbus: dispatch message uuid-1: " + plain.Error(); err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// Two processes forward all that happens and dispatch all that comes in.
func TestLoop(t *testing.T) {
	for _, tt := range []struct {
		name  string
		react func(ctx context.Context, b *eventbus.Bus, d eventbus.Data) error // what a handler there does about order/placed
		want  []string                                                          // what happens, in order
	}{
		{"the event itself stays", nil, []string{"here order/placed 1", "there order/placed 1"}},
		{"another event comes back", func(ctx context.Context, b *eventbus.Bus, _ eventbus.Data) error {
			return b.Publish(ctx, eventbus.MustData("order", "shipped", 1))
		}, []string{"here order/placed 1", "there order/placed 1", "there order/shipped 1", "here order/shipped 1"}},
		{"the same with other params comes back", func(ctx context.Context, b *eventbus.Bus, d eventbus.Data) error {
			if string(d.RawParams) == "2" {
				return nil
			}
			return b.Publish(ctx, eventbus.MustData("order", "placed", 2))
		}, []string{"here order/placed 1", "there order/placed 1", "there order/placed 2", "here order/placed 2"}},
		{"another of the same letters comes back", func(ctx context.Context, b *eventbus.Bus, d eventbus.Data) error {
			return b.Publish(ctx, eventbus.Data{Domain: "orderp", Action: "laced", RawParams: d.RawParams})
		}, []string{"here order/placed 1", "there order/placed 1", "there orderp/laced 1", "here orderp/laced 1"}},
		{"with the pairs of the context stored and read back", func(ctx context.Context, b *eventbus.Bus, d eventbus.Data) error {
			if string(d.RawParams) == "2" {
				return nil
			}
			stored := metadata.WithAll(context.Background(), metadata.All(ctx)) // as durable does
			return b.Publish(stored, eventbus.MustData("order", "placed", 2))
		}, []string{"here order/placed 1", "there order/placed 1", "there order/placed 2", "here order/placed 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			here, there := eventbus.New(nil), eventbus.New(nil)
			var got []string
			wire := func(name string, from, to *eventbus.Bus) {
				dispatch := watermillbus.Dispatch(to.Publish)
				p := publisher(func(_ string, m *message.Message) error { return dispatch(m.Copy()) })
				from.Register(eventbus.Any, eventbus.Any, func(_ context.Context, d eventbus.Data) error {
					if got = append(got, fmt.Sprintf("%s %v %s", name, d, d.RawParams)); len(got) > 10 {
						return errors.New("it goes round")
					}
					return nil
				})
				from.Register(eventbus.Any, eventbus.Any, watermillbus.Forward(p, name, nil))
			}
			wire("here", here, there)
			wire("there", there, here)
			if tt.react != nil {
				there.Register("order", "placed", func(ctx context.Context, d eventbus.Data) error { return tt.react(ctx, there, d) })
			}
			if err := here.Call(t.Context(), eventbus.MustData("order", "placed", 1)); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("what happened (-want +got):\n%s", diff)
			}
		})
	}
}

// A reaction of package durable keeps the pairs of a context and nothing else.
func TestTheMarkOutlivesTheContext(t *testing.T) {
	var msgs []*message.Message
	forward := watermillbus.Forward(keep(&msgs), "orders", nil)
	err := watermillbus.Dispatch(func(ctx context.Context, data eventbus.Data) error {
		ctx = metadata.WithAll(context.Background(), metadata.All(ctx))
		data.RawParams = append([]byte(nil), data.RawParams...)
		return forward(ctx, data)
	})(newMessage(`{"n": 1}`, "eventbus_domain", "order", "eventbus_action", "placed"))
	if err != nil || len(msgs) > 0 {
		t.Errorf("error %v and %d messages, want none", err, len(msgs))
	}
}

// FuzzDispatch gives Dispatch messages of anybody: each is dispatched, once and
// as an event that is well-formed, or is malformed for good.
func FuzzDispatch(f *testing.F) {
	f.Add("order", "placed", "id", "1.0", "order.placed", "id", []byte(`{"n":1}`))
	f.Add("", "", "", "1.0", "a.b.c", "%41", []byte(""))
	f.Add("", "", "", "1.0", ".", "%", []byte("null"))
	f.Add("*", "*", "", "", "", "", []byte(" \n1 "))
	f.Fuzz(func(t *testing.T, domain, action, id, version, typ, ceID string, payload []byte) {
		pairs := []string{}
		for _, p := range [][2]string{{"eventbus_domain", domain}, {"eventbus_action", action}, {"eventbus_id", id}, {"ce-specversion", version}, {"ce-type", typ}, {"ce-id", ceID}} {
			if p[1] != "" {
				pairs = append(pairs, p[0], p[1])
			}
		}
		var got []eventbus.Data
		err := watermillbus.Dispatch(func(ctx context.Context, data eventbus.Data) error {
			got = append(got, data)
			if metadata.Get(ctx, watermillbus.IDKey) == "" {
				t.Error("an event without an id")
			}
			return nil
		})(newMessage(string(payload), pairs...))
		if err != nil {
			if !errors.Is(err, watermillbus.ErrMalformed) || !eventbus.IsPermanent(err) || len(got) > 0 {
				t.Fatalf("error %v after %d dispatches, want ErrMalformed for good after none", err, len(got))
			}
			return
		}
		if len(got) != 1 {
			t.Fatalf("%d dispatches", len(got))
		}
		// What came in can go out.
		var out []*message.Message
		if err := watermillbus.Forward(keep(&out), "t", nil)(t.Context(), got[0]); err != nil {
			t.Error(err)
		}
		if string(got[0].RawParams) != string(payload) {
			t.Errorf("params %q of payload %q", got[0].RawParams, payload)
		}
		if domain+action != "" && (got[0].Domain != domain || got[0].Action != action) {
			t.Errorf("event %v of %q/%q", got[0], domain, action)
		}
	})
}
