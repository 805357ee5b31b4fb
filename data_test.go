package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"example.com/eventbus"
)

func TestNewData(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params any
		want   []byte
	}{
		{"no payload", nil, nil},
		{"struct", struct{ ID int }{7}, []byte(`{"ID":7}`)},
		{"a nil pointer is JSON's null", (*int)(nil), []byte("null")},
		{"raw JSON", json.RawMessage(` {"a": 1} `), []byte(`{"a":1}`)},
		{"bytes are base64, as encoding/json has it", []byte("hi"), []byte(`"aGk="`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := eventbus.NewData("user", "created", tt.params)
			if err != nil {
				t.Fatal(err)
			}
			check(t, "data", got, eventbus.Data{Domain: "user", Action: "created", RawParams: tt.want})
			check(t, "MustData", eventbus.MustData("user", "created", tt.params), got)
		})
	}
}

type failingMarshaler struct{}

func (failingMarshaler) MarshalJSON() ([]byte, error) { return nil, errors.New("can't encode s3cret") }

func TestParamsThatCannotBeEncoded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params any
		want   string
	}{
		{"a channel", make(chan int), "encode chan int: encoding/json refuses it (*json.UnsupportedTypeError)"},
		{"NaN", math.NaN(), "encode float64: encoding/json refuses it (*json.UnsupportedValueError)"},
		{"a number that is none", json.Number("s3cret"), "encode json.Number: encoding/json refuses it"},
		{"its own MarshalJSON", failingMarshaler{}, "encode eventbus_test.failingMarshaler: encoding/json refuses it (*json.MarshalerError)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, want := json.Marshal(tt.params)
			_, err := eventbus.NewData("user", "created", tt.params)
			if err == nil || !strings.HasPrefix(err.Error(), "eventbus: make user/created: "+tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %q, want %q", err, tt.want)
			}
			if cause := errors.Unwrap(errors.Unwrap(err)); cause == nil || cause.Error() != want.Error() {
				t.Errorf("it unwraps to %v, want encoding/json's %v", cause, want)
			}
			if text := panicOf(func() { eventbus.MustData("user", "created", tt.params) }); text != err.Error() {
				t.Errorf("MustData: %s", text)
			}
		})
	}
	for _, d := range []eventbus.Data{{}, {Domain: "user"}, {Action: "created"}} {
		if _, err := eventbus.NewData(d.Domain, d.Action, 1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("make %q/%q", d.Domain, d.Action)) {
			t.Errorf("NewData(%q, %q): %v", d.Domain, d.Action, err)
		}
	}
}

func TestDataIsShownWithoutItsParams(t *testing.T) {
	d := eventbus.MustData("user", "created", "s3cret")
	check(t, "String", d.String(), "user/created")
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Info("got", "event", d)
	check(t, "LogValue", out.String(), "level=INFO msg=got event.domain=user event.action=created event.bytes=8\n")
}

type address struct{ Zip int8 }

type person struct {
	Name    string
	Age     int
	Address *address
}

type failingUnmarshaler struct{}

func (*failingUnmarshaler) UnmarshalJSON(b []byte) error { return fmt.Errorf("can't decode %s", b) }

func decoded[T any](raw string) func() (any, error) {
	return func() (any, error) {
		return eventbus.Decode[T](eventbus.Data{Domain: "user", Action: "created", RawParams: []byte(raw)})
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		decode func() (any, error)
		want   string
		field  string
		offset int64
	}{
		{"kind", decoded[person](`{"Name": 42, "Age": 1}`),
			"to eventbus_test.person: params.Name at byte 11: a JSON number does not fit a Go string", "Name", 11},
		{"nested overflow", decoded[person](`{"Name":"s3cret","Address":{"Zip":4711}}`),
			"to eventbus_test.person: params.Address.Zip at byte 38: a JSON number does not fit a Go int8", "Address.Zip", 38},
		{"the whole", decoded[person](`["s3cret"]`),
			"to eventbus_test.person: params at byte 1: a JSON array does not fit a Go eventbus_test.person", "", 1},
		{"cut off", decoded[person](`{"Name":"s3cr`), "to eventbus_test.person: params at byte 13: not valid JSON: unexpected end of JSON input", "", 13},
		{"more than one value", decoded[int](`1 "s3cret"`), "to int: params at byte 3: not valid JSON: after top-level value", "", 3},
		{"no JSON", decoded[int](`s3cret`), "to int: params at byte 1: not valid JSON: looking for beginning of value", "", 1},
		{"its own UnmarshalJSON", decoded[failingUnmarshaler](`"s3cret"`),
			"to eventbus_test.failingUnmarshaler: params at byte 0: its own decoding failed (*fmt.wrapError)", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := tt.decode()
			e, ok := err.(*eventbus.DecodeError)
			if !ok {
				t.Fatalf("got %T %v, want a *DecodeError", err, err)
			}
			if tt.name == "its own UnmarshalJSON" {
				tt.want = strings.Replace(tt.want, "*fmt.wrapError", fmt.Sprintf("%T", e.Err), 1)
			}
			check(t, "text", e.Error(), "eventbus: decode user/created "+tt.want)
			check(t, "place", [2]any{e.Field, e.Offset}, [2]any{tt.field, tt.offset})
			check(t, "event", e.Domain+"/"+e.Action, "user/created")
			check(t, "type", e.Type.String(), reflect.TypeOf(v).String())
			if !reflect.ValueOf(v).IsZero() {
				t.Errorf("a half-decoded value came back: %+v", v)
			}
			if e.Err == nil || !errors.Is(err, e.Err) || !eventbus.IsPermanent(fmt.Errorf("wrapped: %w", err)) {
				t.Errorf("unwraps to %v, permanent %v", e.Err, eventbus.IsPermanent(err))
			}
		})
	}
}

func TestDecodeGivesEachCallerAValueOfItsOwn(t *testing.T) {
	type params struct {
		Tags []string
		By   map[string]int
		Raw  json.RawMessage
		Next *params
	}
	var bus eventbus.Bus
	want := params{Tags: []string{"a"}, By: map[string]int{"x": 1}, Raw: json.RawMessage(`{"k":1}`), Next: &params{Tags: []string{"b"}, Raw: json.RawMessage("null")}}
	for range 3 {
		eventbus.On(&bus, "user", "created", func(_ context.Context, p params) error {
			check(t, "params", p, want)
			p.Tags[0], p.By["x"], p.Next.Tags[0] = "changed", 2, "changed"
			copy(p.Raw, "!!!!!!!")
			return nil
		})
	}
	d := eventbus.MustData("user", "created", want)
	before := string(d.RawParams)
	if err := bus.Publish(t.Context(), d); err != nil {
		t.Error(err)
	}
	check(t, "RawParams after", string(d.RawParams), before)
}

func TestOnWithParamsThatDoNotFit(t *testing.T) {
	var bus eventbus.Bus
	ran := false
	eventbus.On(&bus, "user", "created", func(context.Context, int) error { ran = true; return nil })
	err := bus.Call(t.Context(), eventbus.MustData("user", "created", "text"))
	if _, ok := errors.AsType[*eventbus.DecodeError](err); !ok || ran {
		t.Errorf("got %v, handler ran: %v", err, ran)
	}
	if err := bus.Call(t.Context(), created); err != nil || !ran {
		t.Errorf("without payload: %v, handler ran: %v", err, ran)
	}
}

func TestEvent(t *testing.T) {
	event := eventbus.Event[person]{Domain: "user", Action: "created"}
	ann := person{Name: "Ann", Age: 30}
	d, err := event.New(ann)
	check(t, "New", d, eventbus.MustData("user", "created", ann))
	check(t, "Must", event.Must(ann), d)
	if err != nil {
		t.Error(err)
	}
	for _, e := range []eventbus.Event[person]{event, {Domain: "user", Action: eventbus.Any}, {Domain: eventbus.Any, Action: "created"}, {Domain: eventbus.Any, Action: eventbus.Any}} {
		got, err := e.Decode(d)
		if err != nil {
			t.Error(err)
		}
		check(t, "Decode", got, ann)
	}
	for _, e := range []eventbus.Event[person]{{Domain: "user", Action: "deleted"}, {Domain: "order", Action: "created"}, {Domain: "order", Action: eventbus.Any}} {
		got, err := e.Decode(d)
		if err == nil || !eventbus.IsPermanent(err) || got != (person{}) || !strings.Contains(err.Error(), fmt.Sprintf("decode user/created as %s/%s", e.Domain, e.Action)) {
			t.Errorf("Decode of another event's data: %+v, %v", got, err)
		}
	}
	var bus eventbus.Bus
	var got person
	event.On(&bus, func(_ context.Context, p person) error { got = p; return nil })
	if err := bus.Call(t.Context(), d); err != nil {
		t.Error(err)
	}
	check(t, "On", got, ann)
}

func TestPermanent(t *testing.T) {
	if eventbus.Permanent(nil) != nil || eventbus.IsPermanent(nil) || eventbus.IsPermanent(io.EOF) {
		t.Error("nil, or an error nobody marked, is permanent")
	}
	err := eventbus.Permanent(&os.PathError{Op: "open", Path: "x", Err: io.EOF})
	check(t, "text", err.Error(), "open x: EOF")
	if _, ok := errors.AsType[*os.PathError](err); !ok || !errors.Is(err, io.EOF) {
		t.Error("the mark hides the error")
	}
	for name, err := range map[string]error{"itself": err, "wrapped": fmt.Errorf("w: %w", err), "joined": errors.Join(io.EOF, err),
		"decode error": &eventbus.DecodeError{}, "cycle": &eventbus.CycleError{}} {
		if !eventbus.IsPermanent(err) {
			t.Errorf("%s is not permanent", name)
		}
	}
	var bus eventbus.Bus
	bus.Register("user", "created", func(context.Context, eventbus.Data) error { return err })
	if !eventbus.IsPermanent(bus.Call(t.Context(), created)) || !eventbus.IsPermanent(bus.Publish(t.Context(), created)) {
		t.Error("the mark is lost on the way through a dispatch")
	}
}
