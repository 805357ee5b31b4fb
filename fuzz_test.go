package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
)

// model is the bus as naively as it can be: one list of all that is registered.
type model struct {
	regs  []*modelHandler
	trace []string
}

type modelHandler struct {
	id             int
	domain, action string
	does           byte
	gone           bool
}

// What a handler does beyond noting that it ran.
const (
	fails = iota + 1
	panics
	registers
	unregisters
	dispatches
	kinds
)

var (
	modelDomains = []string{"a", "b", eventbus.Any}
	modelActions = []string{"x", "y", eventbus.Any}
)

func (m *model) register(domain, action string, does byte) *modelHandler {
	h := &modelHandler{id: len(m.regs), domain: domain, action: action, does: does}
	m.regs = append(m.regs, h)
	return h
}

// dispatch returns which handlers failed, in order.
func (m *model) dispatch(domain, action string, all bool, depth int) (failed []int) {
	var now []*modelHandler
	for _, h := range m.regs {
		if !h.gone && (h.domain == eventbus.Any || h.domain == domain) && (h.action == eventbus.Any || h.action == action) {
			now = append(now, h)
		}
	}
	for _, h := range now {
		m.trace = append(m.trace, fmt.Sprint(h.id, "@", domain, "/", action))
		ok := true
		switch h.does {
		case fails, panics:
			ok = false
		case registers:
			if depth == 0 && len(m.regs) < 40 {
				m.register(h.domain, action, 0)
			}
		case unregisters:
			m.regs[h.id/2].gone = true
		case dispatches:
			ok = depth > 0 || len(m.dispatch(domain, action, h.id%2 == 0, depth+1)) == 0
		}
		if !ok {
			if failed = append(failed, h.id); !all {
				break
			}
		}
	}
	return failed
}

// actual does the same with a Bus.
type actual struct {
	bus        *eventbus.Bus
	unregister []func()
	trace      []string
	depth      int
}

func (r *actual) register(domain, action string, does byte) {
	id := len(r.unregister)
	r.unregister = append(r.unregister, nil)
	r.unregister[id] = r.bus.Handle(eventbus.Handler{Domain: domain, Action: action, Name: fmt.Sprint(id)}, func(ctx context.Context, d eventbus.Data) error {
		r.trace = append(r.trace, fmt.Sprint(id, "@", d))
		switch does {
		case fails:
			return errors.New("fails")
		case panics:
			panic("panics")
		case registers:
			if r.depth == 0 && len(r.unregister) < 40 {
				r.register(domain, d.Action, 0)
			}
		case unregisters:
			r.unregister[id/2]()
		case dispatches:
			if r.depth > 0 {
				return nil
			}
			r.depth++
			defer func() { r.depth-- }()
			if id%2 == 0 {
				return r.bus.Publish(ctx, d)
			}
			return r.bus.Call(ctx, d)
		}
		return nil
	})
}

func (r *actual) dispatch(t *testing.T, d eventbus.Data, all bool) (failed []int) {
	var errs []error
	if all {
		if joined, ok := r.bus.Publish(t.Context(), d).(interface{ Unwrap() []error }); ok {
			errs = joined.Unwrap()
		}
	} else if err := r.bus.Call(t.Context(), d); err != nil {
		errs = []error{err}
	}
	for _, err := range errs {
		var id int
		if _, err := fmt.Sscan(err.(*eventbus.HandlerError).Handler.Name, &id); err != nil {
			t.Fatal(err)
		}
		failed = append(failed, id)
	}
	return failed
}

// FuzzBus runs the operations that the bytes spell on a Bus and on the model. A
// byte chooses what to do, the next one with what.
func FuzzBus(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 2, 0, 3, 0})
	f.Add([]byte{0, 0, 0, 9, 0, 18, 0, 27, 0, 36, 0, 45, 0, 8, 0, 53, 3, 0, 2, 0, 1, 2, 3, 4, 2, 8})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m, r := new(model), &actual{bus: new(eventbus.Bus)}
		if len(ops) > 60 {
			ops = ops[:60]
		}
		for ; len(ops) > 1; ops = ops[2:] {
			arg := ops[1]
			domain, action := modelDomains[arg%3], modelActions[arg/3%3]
			switch op := ops[0] % 4; op {
			case 0:
				does := arg / 9 % kinds
				m.register(domain, action, does)
				r.register(domain, action, does)
			case 1:
				if len(m.regs) > 0 {
					i := int(arg) % len(m.regs)
					m.regs[i].gone = true
					r.unregister[i]()
				}
			default:
				d := eventbus.Data{Domain: domain, Action: action}
				want, got := m.dispatch(domain, action, op == 3, 0), r.dispatch(t, d, op == 3)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("failures of %v (-model +bus):\n%s", d, diff)
				}
			}
			if diff := cmp.Diff(m.trace, r.trace); diff != "" {
				t.Fatalf("handlers run (-model +bus):\n%s", diff)
			}
			m.trace, r.trace = nil, nil
			var left []string
			for _, h := range m.regs {
				if !h.gone {
					left = append(left, fmt.Sprint(h.id))
				}
			}
			var got []string
			for h := range r.bus.Handlers() {
				got = append(got, h.Name)
			}
			if diff := cmp.Diff(left, got); diff != "" {
				t.Fatalf("Handlers (-model +bus):\n%s", diff)
			}
		}
	})
}

type everything struct {
	S  string            `json:"s,omitempty"`
	N  int8              `json:"n"`
	F  float64           `json:"f,string"`
	B  []byte            `json:"b"`
	M  map[string]*int   `json:"m"`
	A  any               `json:"a"`
	R  json.RawMessage   `json:"r"`
	L  []map[string]bool `json:"l"`
	P  *everything       `json:"p"`
	U  uint64
	In struct{ X, Y int }
}

// FuzzDecode holds Decode to encoding/json on any bytes: the same values, errors
// for the same input, and no value in the text of an error.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{``, `null`, `{}`, `{"s":"x","n":300}`, `{"f":"1.5","b":"aGk=","p":{"s":"y"}}`, `{"m":{"k":1}} x`, `[1`, "\"\x00\"", `{"U":-1}`, `{"In":{"X":"marker-value"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		asJSON[everything](t, raw)
		asJSON[any](t, raw)
		asJSON[[]int](t, raw)
		asJSON[map[string]everything](t, raw)
		asJSON[string](t, raw)
	})
}

func asJSON[T any](t *testing.T, raw []byte) {
	t.Helper()
	d := eventbus.Data{Domain: "user", Action: "created", RawParams: raw}
	var want T
	wantErr := json.Unmarshal(raw, &want)
	if len(raw) == 0 {
		wantErr = nil
	}
	got, err := eventbus.Decode[T](d)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("Decode: %v, encoding/json: %v", err, wantErr)
	}
	if err == nil {
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("Decode: %#v, encoding/json: %#v", got, want)
		}
		return
	}
	if !errors.Is(err, errors.Unwrap(err)) || errors.Unwrap(err).Error() != wantErr.Error() {
		t.Fatalf("Decode unwraps to %v, want %v", errors.Unwrap(err), wantErr)
	}
	if strings.Contains(err.Error(), "marker-value") {
		t.Fatalf("the error quotes a value: %v", err)
	}
}

// FuzzRoundTrip holds NewData and Decode to json.Marshal and json.Unmarshal, for
// several handlers, none of which reaches another's value.
func FuzzRoundTrip(f *testing.F) {
	f.Add("s", int8(1), 1.5, []byte("b"), uint64(7), `{"k":[1,2]}`)
	f.Add("<&>\xff", int8(-128), 1e300, []byte(nil), uint64(1)<<63, `null`)
	f.Fuzz(func(t *testing.T, s string, n int8, fl float64, b []byte, u uint64, raw string) {
		in := everything{S: s, N: n, F: fl, B: b, U: u, M: map[string]*int{s: new(int)}, L: []map[string]bool{{s: true}}, P: &everything{S: s}}
		if json.Valid([]byte(raw)) {
			in.R, in.A = json.RawMessage(raw), []any{raw}
		}
		text, wantErr := json.Marshal(in)
		d, err := eventbus.NewData("user", "created", in)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("NewData: %v, encoding/json: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if string(d.RawParams) != string(text) {
			t.Fatalf("NewData: %s, encoding/json: %s", d.RawParams, text)
		}
		var bus eventbus.Bus
		runs := 0
		for range 3 {
			eventbus.On(&bus, "user", "created", func(_ context.Context, got everything) error {
				var want everything
				if err := json.Unmarshal(text, &want); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("handler %d got %#v, want %#v", runs, got, want)
				}
				runs++
				got.L[0][s], *got.P = false, everything{}
				for i := range got.R {
					got.R[i] = 'x'
				}
				for i := range got.B {
					got.B[i]++
				}
				for k := range got.M {
					*got.M[k] = 42
				}
				return nil
			})
		}
		if err := bus.Publish(t.Context(), d); err != nil || runs != 3 {
			t.Fatalf("%d of 3 handlers ran: %v", runs, err)
		}
	})
}
