package reply_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/eventbus"
	"example.com/eventbus/reply"
	"github.com/google/go-cmp/cmp"
)

type question struct{ ID int }

type person struct{ Name string }

var find = eventbus.MustData("user", "find", question{7})

// named returns a handler that answers name.
func named(name string) func(context.Context, question) (person, error) {
	return func(context.Context, question) (person, error) { return person{name}, nil }
}

func wantAnswer(t *testing.T, bus *eventbus.Bus, want string) {
	t.Helper()
	got, err := reply.Ask[person](t.Context(), bus, find)
	if err != nil || got.Name != want {
		t.Errorf("Ask returned %q, %v; want %q", got.Name, err, want)
	}
}

func TestAskHandsOverTheQuestionAndTheAnswer(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", func(_ context.Context, q question) (person, error) {
		return person{fmt.Sprint("number ", q.ID)}, nil
	})
	wantAnswer(t, bus, "number 7")
}

func TestSidesShareNoTypes(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", func(_ context.Context, q struct {
		ID    int
		Extra *string
	}) (map[string]any, error) {
		return map[string]any{"Name": fmt.Sprint(q.ID), "Age": 40}, nil
	})
	wantAnswer(t, bus, "7")
}

func TestAskWantsExactlyOneAnswer(t *testing.T) {
	bus := new(eventbus.Bus)
	bus.Register("user", "find", func(context.Context, eventbus.Data) error { return nil })
	_, err := reply.Ask[person](t.Context(), bus, find)
	if !errors.Is(err, reply.ErrNoReply) || !strings.Contains(err.Error(), "user/find") {
		t.Errorf("without an answer Ask returned %v, want ErrNoReply that names the event", err)
	}

	reply.On(bus, "user", eventbus.Any, named("first"))
	wantAnswer(t, bus, "first")

	undo := reply.On(bus, "user", "find", second)
	_, err = reply.Ask[person](t.Context(), bus, find)
	if !errors.Is(err, reply.ErrManyReplies) || !strings.Contains(err.Error(), ".named.func") || !strings.Contains(err.Error(), ", reply_test.second") {
		t.Errorf("with two answers Ask returned %v, want ErrManyReplies that names both handlers", err)
	}

	undo()
	wantAnswer(t, bus, "first")
}

func second(context.Context, question) (person, error) { return person{"second"}, nil }

func TestOneHandlerRegisteredTwiceAnswersTwice(t *testing.T) {
	bus := new(eventbus.Bus)
	for range 2 {
		reply.On(bus, "user", "find", second)
	}
	if _, err := reply.Ask[person](t.Context(), bus, find); !errors.Is(err, reply.ErrManyReplies) {
		t.Errorf("Ask returned %v, want ErrManyReplies", err)
	}
}

func TestFailuresReachWhoAsks(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name    string
		handler func(context.Context, question) (any, error)
		check   func(error) bool
	}{
		{"error", func(context.Context, question) (any, error) { return person{"x"}, broken }, func(err error) bool { return errors.Is(err, broken) }},
		{"panic", func(context.Context, question) (any, error) { panic(broken) }, func(err error) bool {
			_, ok := errors.AsType[*eventbus.PanicError](err)
			return ok && errors.Is(err, broken)
		}},
		{"answer without JSON", func(context.Context, question) (any, error) { return func() {}, nil }, eventbus.IsPermanent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := new(eventbus.Bus)
			reply.On(bus, "user", "find", named("another"))
			reply.On(bus, "user", "find", tt.handler)
			ran := false
			bus.Register("user", "find", func(context.Context, eventbus.Data) error { ran = true; return nil })

			got, err := reply.Ask[person](t.Context(), bus, find)
			h, ok := errors.AsType[*eventbus.HandlerError](err)
			if !ok || !strings.HasPrefix(h.Handler.Name, "reply_test.TestFailuresReachWhoAsks") || !tt.check(err) || got != (person{}) {
				t.Errorf("Ask returned %v, %v; want the handler's failure and no answer", got, err)
			}
			if ran {
				t.Error("Ask ran the handler after the one that failed, which Call doesn't")
			}

			all, err := reply.Gather[person](t.Context(), bus, find)
			if !tt.check(err) || !ran {
				t.Errorf("Gather returned the error %v and ran the last handler: %t; want the handler's failure and true", err, ran)
			}
			if diff := cmp.Diff([]person{{"another"}}, all); diff != "" {
				t.Errorf("Gather's answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuestionThatDoesNotFit(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", named("x"))
	_, err := reply.Ask[person](t.Context(), bus, eventbus.MustData("user", "find", "secret"))
	if d, ok := errors.AsType[*eventbus.DecodeError](err); !ok || d.Type != reflect.TypeFor[question]() {
		t.Errorf("Ask returned %v, want a DecodeError to the question's type", err)
	}
}

func TestAnswerThatDoesNotFit(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", named("secret"))
	reply.On(bus, "user", "ages", func(context.Context, question) (int, error) { return 41, nil })
	reply.On(bus, "user", "ages", func(context.Context, question) (string, error) { return "secret", nil })
	reply.On(bus, "user", "ages", func(context.Context, question) (int, error) { return 43, nil })

	_, err := reply.Ask[struct{ Name int }](t.Context(), bus, find)
	d, ok := errors.AsType[*eventbus.DecodeError](err)
	if !ok || d.Field != "Name" || d.Domain != "user" || d.Action != "find" {
		t.Errorf("Ask returned %#v, want a DecodeError of Name in the answer to user/find", err)
	}
	if text := err.Error(); !strings.Contains(text, "the answer of reply_test.") || strings.Contains(text, "secret") {
		t.Errorf("the error is %q; want one that names the handler and leaves the answer out", text)
	}

	ages, err := reply.Gather[int](t.Context(), bus, eventbus.MustData("user", "ages", nil))
	if _, ok := errors.AsType[*eventbus.DecodeError](err); !ok {
		t.Errorf("Gather returned the error %v, want a DecodeError", err)
	}
	if diff := cmp.Diff([]int{41, 43}, ages); diff != "" {
		t.Errorf("Gather's answers (-want +got):\n%s", diff)
	}
}

func TestAnswerOfNilIsTheZeroValue(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", func(context.Context, question) (*person, error) { return nil, nil })
	wantAnswer(t, bus, "")
	reply.On(bus, "user", "any", func(context.Context, question) (any, error) { return nil, nil })
	if got, err := reply.Ask[int](t.Context(), bus, eventbus.MustData("user", "any", nil)); got != 0 || err != nil {
		t.Errorf("Ask returned %d, %v; want 0, nil", got, err)
	}
}

func TestGather(t *testing.T) {
	bus := new(eventbus.Bus)
	got, err := reply.Gather[person](t.Context(), bus, find)
	if len(got) != 0 || err != nil {
		t.Errorf("without handlers Gather returned %v, %v; want nothing", got, err)
	}
	one, two := errors.New("one"), errors.New("two")
	fail := func(err error) func(context.Context, question) (person, error) {
		return func(context.Context, question) (person, error) { return person{"wrong"}, err }
	}
	reply.On(bus, "user", "find", named("a"))
	reply.On(bus, "user", "find", fail(one))
	reply.On(bus, eventbus.Any, eventbus.Any, named("b"))
	reply.On(bus, "user", "find", fail(two))
	got, err = reply.Gather[person](t.Context(), bus, find)
	if diff := cmp.Diff([]person{{"a"}, {"b"}}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if !errors.Is(err, one) || !errors.Is(err, two) {
		t.Errorf("Gather returned the error %v, want both handlers'", err)
	}
}

// What a handler sets off with the context it was given answers nobody, whether the
// handler is of this package or not, and even where it sends the same event again.
func TestNestedAnswersDoNotCount(t *testing.T) {
	other := eventbus.MustData("user", "other", nil)
	dispatches := map[string]func(*eventbus.Bus, context.Context) error{
		"another event by Call":    func(b *eventbus.Bus, ctx context.Context) error { return b.Call(ctx, other) },
		"another event by Publish": func(b *eventbus.Bus, ctx context.Context) error { return b.Publish(ctx, other) },
		"same event by Call":       func(b *eventbus.Bus, ctx context.Context) error { return b.Call(ctx, find) },
		"same event by Publish":    func(b *eventbus.Bus, ctx context.Context) error { return b.Publish(ctx, find) },
		"on another goroutine": func(b *eventbus.Bus, ctx context.Context) (err error) {
			var wg sync.WaitGroup
			wg.Go(func() { err = b.Call(ctx, find) })
			wg.Wait()
			return err
		},
		"by an Ask of its own": func(b *eventbus.Bus, ctx context.Context) error {
			_, err := reply.Ask[string](ctx, b, find)
			return err
		},
		"far down the stack": func(b *eventbus.Bus, ctx context.Context) error {
			return deep(500, func() error { return b.Call(ctx, find) })
		},
	}
	for name, dispatch := range dispatches {
		for _, order := range []string{"before", "after", "in the answering handler", "in its middleware"} {
			t.Run(name+" "+order, func(t *testing.T) {
				bus := new(eventbus.Bus)
				answered, nested := 0, false
				again := func(ctx context.Context, _ eventbus.Data) error {
					if nested {
						return nil
					}
					nested = true
					defer func() { nested = false }()
					return dispatch(bus, ctx)
				}
				answer := func(ctx context.Context, _ question) (string, error) {
					answered++
					if order == "in the answering handler" {
						if err := again(ctx, find); err != nil {
							return "", err
						}
					}
					if nested {
						return "nested", nil
					}
					return "direct", nil
				}
				var mw []eventbus.Middleware
				switch order {
				case "before":
					bus.Register("user", "find", again)
				case "in its middleware":
					mw = append(mw, func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
						return func(ctx context.Context, data eventbus.Data) error {
							return errors.Join(again(ctx, data), next(ctx, data), again(ctx, data))
						}
					})
				}
				reply.On(bus, "user", "find", answer, mw...)
				reply.On(bus, "user", "other", answer)
				if order == "after" {
					bus.Register("user", "find", again)
				}
				got, err := reply.Ask[string](t.Context(), bus, find)
				if err != nil || got != "direct" {
					t.Errorf("Ask returned %q, %v; want the answer to its own dispatch", got, err)
				}
				if answered < 2 {
					t.Error("no nested dispatch reached the answering handler: the test tests nothing")
				}
			})
		}
	}
}

//go:noinline
func deep(n int, f func() error) error {
	if n == 0 {
		return f()
	}
	return deep(n-1, f)
}

func TestAskIsFoundFarUpTheStack(t *testing.T) {
	far := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			return deep(500, func() error { return next(ctx, data) })
		}
	}
	bus := eventbus.New(nil, far)
	reply.On(bus, "user", "find", named("x"))
	wantAnswer(t, bus, "x")
}

func TestWithoutAskTheAnswerGoesUnused(t *testing.T) {
	bus := new(eventbus.Bus)
	ran := 0
	reply.On(bus, "user", "find", func(context.Context, question) (func(), error) { // has no JSON form, which nobody needs
		ran++
		return nil, nil
	})
	if err := errors.Join(bus.Call(t.Context(), find), bus.Publish(t.Context(), find)); err != nil || ran != 2 {
		t.Errorf("the handler ran %d times with error %v, want 2 times and none", ran, err)
	}
}

func TestMiddleware(t *testing.T) {
	twice := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			return errors.Join(next(ctx, data), next(ctx, data))
		}
	}
	moved := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) (err error) {
			var wg sync.WaitGroup
			wg.Go(func() { err = next(ctx, data) })
			wg.Wait()
			return err
		}
	}
	skip := func(eventbus.Handler, eventbus.Func) eventbus.Func {
		return func(context.Context, eventbus.Data) error { return nil }
	}
	refuse := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			return errors.Join(next(ctx, data), errors.New("refused"))
		}
	}
	for _, tt := range []struct {
		name      string
		mw        eventbus.Middleware
		ask       string // an error text or the answer
		gather    []string
		gatherErr string
	}{
		{"runs the handler twice", twice, "run 2", []string{"run 2"}, ""},
		{"waits for another goroutine", moved, "run 1", []string{"run 1"}, ""},
		{"skips the handler", skip, reply.ErrNoReply.Error(), nil, ""},
		{"fails after the handler", refuse, "refused", nil, "refused"},
	} {
		for _, where := range []string{"registration", "bus", "interceptor"} {
			t.Run(tt.name+" in the "+where, func(t *testing.T) {
				var mine, all []eventbus.Middleware
				bus := new(eventbus.Bus)
				switch where {
				case "registration":
					mine = append(mine, tt.mw)
				case "bus":
					all = append(all, tt.mw)
					bus = eventbus.New(nil, all...)
				case "interceptor":
					bus.Intercept(tt.mw)
				}
				runs := 0
				reply.On(bus, "user", "find", func(context.Context, question) (string, error) {
					runs++
					return fmt.Sprint("run ", runs), nil
				}, mine...)
				got, err := reply.Ask[string](t.Context(), bus, find)
				if err != nil {
					got = err.Error()
				}
				if !strings.Contains(got, tt.ask) {
					t.Errorf("Ask returned %q, want %q", got, tt.ask)
				}
				if where != "registration" {
					return // a failure after the answer leaves it to Gather
				}
				runs = 0
				answers, err := reply.Gather[string](t.Context(), bus, find)
				if diff := cmp.Diff(tt.gather, answers); diff != "" {
					t.Errorf("Gather's answers (-want +got):\n%s", diff)
				}
				if tt.gatherErr == "" && err != nil || tt.gatherErr != "" && (err == nil || !strings.Contains(err.Error(), tt.gatherErr)) {
					t.Errorf("Gather returned the error %v, want %q", err, tt.gatherErr)
				}
			})
		}
	}
}

// A handler that was moved elsewhere and ends after the question did changes nothing,
// and doesn't race with who asks.
func TestLateAnswersAreDropped(t *testing.T) {
	for _, where := range []string{"registration", "bus"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				go0 := make(chan bool)
				queued := func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
					return func(ctx context.Context, data eventbus.Data) error {
						go func() {
							<-go0
							if err := next(context.WithoutCancel(ctx), data); err != nil {
								t.Errorf("the late handler failed: %v", err)
							}
						}()
						return nil
					}
				}
				bus, mine := new(eventbus.Bus), []eventbus.Middleware{queued}
				if where == "bus" {
					bus, mine = eventbus.New(nil, queued), nil
				}
				ran := 0
				reply.On(bus, "user", "find", func(context.Context, question) (person, error) {
					ran++
					return person{"late"}, nil
				}, mine...)
				if _, err := reply.Ask[person](t.Context(), bus, find); !errors.Is(err, reply.ErrNoReply) {
					t.Errorf("Ask returned %v, want ErrNoReply", err)
				}
				close(go0)
				synctest.Wait()
				if ran != 1 {
					t.Errorf("the late handler ran %d times, want once", ran)
				}
			})
		})
	}
}

// slow is an answer whose decoding waits for a second run of the handlers.
type slow struct{ Run int }

var whileDecoding = func() {}

func (s *slow) UnmarshalJSON(text []byte) error {
	whileDecoding()
	_, err := fmt.Sscan(string(text), &s.Run)
	return err
}

func TestAnswersStayOnceTheQuestionEnded(t *testing.T) {
	var again []func() error
	bus := eventbus.New(nil, func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			again = append(again, func() error {
				c := make(chan error)
				go func() { c <- next(ctx, data) }()
				return <-c
			})
			return next(ctx, data)
		}
	})
	runs := 0
	count := func(context.Context, question) (int, error) { runs++; return runs, nil }
	reply.On(bus, "user", "find", count)
	reply.On(bus, "user", "find", count)
	whileDecoding = func() {
		for _, f := range again {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	}
	defer func() { whileDecoding = func() {} }()
	got, err := reply.Gather[slow](t.Context(), bus, find)
	if diff := cmp.Diff([]slow{{1}, {2}}, got); diff != "" || err != nil {
		t.Errorf("error %v, answers (-want +got):\n%s", err, diff)
	}
	if runs < 4 {
		t.Errorf("the handlers ran %d times: the test tests nothing", runs)
	}
}

func TestConcurrentQuestionsKeepApart(t *testing.T) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", func(_ context.Context, q question) (int, error) { return q.ID, nil })
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			got, err := reply.Ask[int](t.Context(), bus, eventbus.MustData("user", "find", question{i}))
			if got != i || err != nil {
				t.Errorf("Ask %d returned %d, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

type service struct{}

func (*service) find(context.Context, question) (person, error) { return person{}, nil }

func (*service) found(context.Context, question) error { return nil }

// The bus derives the same from the same kind of call.
func TestHandlersAreNamedAsTheBusDoes(t *testing.T) {
	bus, s := new(eventbus.Bus), new(service)
	_ = []func(){reply.On(bus, "user", "find", s.find), eventbus.On(bus, "user", "find", s.found)} // on one line
	reply.On(bus, "user", "find", second)
	reply.On(bus, "user", "find", func(context.Context, question) (person, error) { return person{}, nil })
	hs := slices.Collect(bus.Handlers())
	if hs[0].Source != hs[1].Source {
		t.Errorf("reply.On and eventbus.On of one line are %+v and %+v, want one Source", hs[0], hs[1])
	}
	var names []string
	for _, h := range hs {
		names = append(names, h.Name)
	}
	want := []string{"reply_test.(*service).find", "reply_test.(*service).found", "reply_test.second", "reply_test.TestHandlersAreNamedAsTheBusDoes.func1"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestMisuseIsOfTheCaller(t *testing.T) {
	defer func() {
		if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "eventbus: register") || !strings.Contains(text, "reply_test/reply_test.go:") {
			t.Errorf("the panic says %q, want the bus's own, with the place", text)
		}
	}()
	reply.On[question, person](new(eventbus.Bus), "user", "find", nil)
}

func BenchmarkAsk(b *testing.B) {
	bus := new(eventbus.Bus)
	reply.On(bus, "user", "find", second)
	for b.Loop() {
		if _, err := reply.Ask[person](b.Context(), bus, find); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloor(b *testing.B) { // the same JSON, called directly
	for b.Loop() {
		q, err := eventbus.Decode[question](find)
		if err != nil {
			b.Fatal(err)
		}
		a, _ := second(b.Context(), q)
		d, err := eventbus.NewData("user", "find", a)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := eventbus.Decode[person](d); err != nil {
			b.Fatal(err)
		}
	}
}
