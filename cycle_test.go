package eventbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/eventbus"
)

// children are what this test binary does in a process of its own, so that a
// stack overflow, which no recover catches, is a failing test and no more.
var children = map[string]func(io.Writer){
	"panicnil":                       panicNil,
	"Call":                           func(w io.Writer) { cycle(w, call, same, 1) },
	"Publish":                        func(w io.Writer) { cycle(w, publish, same, 1) },
	"fan-out by Publish":             func(w io.Writer) { cycle(w, publish, same, 2) },
	"fan-out by Call":                func(w io.Writer) { cycle(w, call, same, 2) },
	"wrapped errors":                 func(w io.Writer) { cycle(w, call, wrapped, 1) },
	"wrapped errors, fan-out":        func(w io.Writer) { cycle(w, publish, wrapped, 3) },
	"another context":                anotherContext,
	"swallowed errors":               func(io.Writer) { cycle(io.Discard, publish, swallowed, 2) },
	"interceptors":                   interceptors,
	"chain":                          func(w io.Writer) { chains(w, 0, 10_000) },
	"chain on a deep stack":          func(w io.Writer) { chains(w, 9_000, 10_000) },
	"chain with middleware":          func(w io.Writer) { chainOf(w, 1_000, 1_000, passThrough) },
	"many frames between dispatches": sparse,
}

func TestMain(m *testing.M) {
	if f := children[os.Getenv("EVENTBUS_CHILD")]; f != nil {
		f(os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// child returns what the child of that name prints. It fails the test where the
// child doesn't end well.
func child(t *testing.T, name string, env ...string) string {
	t.Helper()
	out, err := start(t.Context(), name, env...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", name, err, out)
	}
	return string(out)
}

func start(ctx context.Context, name string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(append(os.Environ(), "EVENTBUS_CHILD="+name), env...)
	return cmd
}

func call(b *eventbus.Bus) eventbus.Func    { return b.Call }
func publish(b *eventbus.Bus) eventbus.Func { return b.Publish }

func same(err error) error      { return err }
func wrapped(err error) error   { return fmt.Errorf("wrapped once more: %w", err) }
func swallowed(err error) error { return nil }

// cycle has a/a and b/b set each other off by so many handlers each, started by
// x/x, and reports what x/x's dispatch returns.
func cycle(w io.Writer, mode func(*eventbus.Bus) eventbus.Func, pass func(error) error, handlers int) {
	var bus eventbus.Bus
	var outside []string
	sets := func(off string) eventbus.Func {
		return func(ctx context.Context, _ eventbus.Data) error {
			err := mode(&bus)(ctx, eventbus.MustData(off, off, nil))
			if err == nil {
				return nil
			}
			return pass(err)
		}
	}
	for i := range handlers {
		bus.Handle(eventbus.Handler{Domain: "a", Action: "a", Name: fmt.Sprint("A", i)}, sets("b"))
		bus.Handle(eventbus.Handler{Domain: "b", Action: "b", Name: fmt.Sprint("B", i)}, sets("a"))
	}
	bus.Handle(eventbus.Handler{Domain: "x", Action: "x", Name: "X"}, sets("a"))
	bus.Handle(eventbus.Handler{Domain: "x", Action: "x", Name: "Y"}, func(context.Context, eventbus.Data) error {
		outside = append(outside, "Y ran")
		return nil
	})
	err := mode(&bus)(context.Background(), eventbus.MustData("x", "x", nil))
	cycle, ok := errors.AsType[*eventbus.CycleError](err)
	if !ok {
		fmt.Fprintf(w, "no *CycleError: %v\n", err)
		return
	}
	fmt.Fprintln(w, "handlers:", len(cycle.Handlers), "permanent:", eventbus.IsPermanent(err), "short:", len(err.Error()) < 1024, strings.Join(outside, " "))
	fmt.Fprintln(w, err)
}

func TestEventsThatSetEachOtherOffWithoutEnd(t *testing.T) {
	for _, tt := range []struct{ child, outside string }{
		{"Call", ""},
		{"Publish", "Y ran"},
		{"fan-out by Call", ""},
		{"fan-out by Publish", "Y ran"},
		{"wrapped errors", ""},
		{"wrapped errors, fan-out", "Y ran"},
	} {
		t.Run(tt.child, func(t *testing.T) {
			facts, text, _ := strings.Cut(child(t, tt.child), "\n")
			check(t, "facts", strings.TrimSpace(facts), strings.TrimSpace("handlers: 2 permanent: true short: true "+tt.outside))
			if !strings.Contains(text, "x/x: handler X: ") {
				t.Errorf("%s doesn't name the dispatch outside the cycle", text)
			}
			if !strings.Contains(text, "[a/a (A0) b/b (B0)]") && !strings.Contains(text, "[b/b (B0) a/a (A0)]") {
				t.Errorf("%s doesn't name the cycle", text)
			}
			if n := strings.Count(text, "wrapped"); n > 1 {
				t.Errorf("wrapped %d times:\n%s", n, text)
			}
		})
	}
}

func TestACycleThroughAnotherContextIsFound(t *testing.T) {
	check(t, "child", child(t, "another context"), "true\n")
}

// anotherContext dispatches with a context of its own, so that nothing in the
// context can count.
func anotherContext(w io.Writer) {
	var bus eventbus.Bus
	bus.Register("a", "a", func(context.Context, eventbus.Data) error {
		return bus.Call(context.Background(), eventbus.MustData("a", "a", nil))
	})
	_, ok := errors.AsType[*eventbus.CycleError](bus.Call(context.Background(), eventbus.MustData("a", "a", nil)))
	fmt.Fprintln(w, ok)
}

func TestInterceptorsThatDispatchWithoutEnd(t *testing.T) {
	check(t, "child", child(t, "interceptors"), "true\n")
}

func interceptors(w io.Writer) {
	var bus eventbus.Bus
	bus.Intercept(func(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, d eventbus.Data) error {
			if err := bus.Publish(ctx, eventbus.MustData("audit", "noted", nil)); err != nil {
				return err
			}
			return next(ctx, d)
		}
	})
	_, ok := errors.AsType[*eventbus.CycleError](bus.Publish(context.Background(), created))
	fmt.Fprintln(w, ok)
}

// Handlers that swallow errors may spin, but the process lives.
func TestSwallowedErrorsDoNotKillTheProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var out bytes.Buffer
	cmd := start(ctx, "swallowed errors")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() == nil {
		t.Fatalf("the child ended by itself: %v\n%.2000s", err, out.String())
	}
	if out.Len() > 0 {
		t.Errorf("the child said: %.2000s", out.String())
	}
}

// sparse has 200 frames between one dispatch and the next.
func sparse(w io.Writer) {
	var bus eventbus.Bus
	var down func(int, func() error) error
	down = func(n int, f func() error) error {
		if n == 0 {
			return f()
		}
		return down(n-1, f)
	}
	bus.Register("a", "a", func(ctx context.Context, d eventbus.Data) error {
		return down(200, func() error { return bus.Call(ctx, d) })
	})
	_, ok := errors.AsType[*eventbus.CycleError](bus.Call(context.Background(), eventbus.MustData("a", "a", nil)))
	fmt.Fprintln(w, ok)
}

func TestACycleWithManyFramesBetweenDispatchesIsFound(t *testing.T) {
	check(t, "child", child(t, "many frames between dispatches"), "true\n")
}

func passThrough(_ eventbus.Handler, next eventbus.Func) eventbus.Func {
	return func(ctx context.Context, d eventbus.Data) error { return next(ctx, d) }
}

// chainOf dispatches chains of nested dispatches through an intercepted bus with
// middleware, and says how many failed.
func chainOf(w io.Writer, depth, times int, mw ...eventbus.Middleware) {
	bus := eventbus.New(nil, mw...)
	bus.Intercept(mw...)
	left := 0
	d := eventbus.MustData("a", "a", nil)
	bus.Register("a", "a", func(ctx context.Context, d eventbus.Data) error {
		if left--; left == 0 {
			return nil
		}
		return bus.Call(ctx, d)
	}, mw...)
	failed := 0
	for range times {
		left = depth
		if err := bus.Call(context.Background(), d); err != nil {
			failed++
		}
	}
	fmt.Fprintln(w, "failed:", failed)
}

// chains runs chains of 1,000 dispatches that start so many frames down.
func chains(w io.Writer, frames, times int) {
	if frames > 0 {
		chains(w, frames-1, times)
		return
	}
	chainOf(w, 1_000, times)
}

func TestChainsOfAThousandPass(t *testing.T) {
	for _, name := range []string{"chain", "chain on a deep stack", "chain with middleware"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, "child", child(t, name), "failed: 0\n")
		})
	}
}
