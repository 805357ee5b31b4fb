package txn_test

import (
	"context"
	"errors"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/txn"
	"github.com/google/go-cmp/cmp"
)

// A program is a run: events to dispatch and runs within it, then its end.
type program struct {
	steps []step
	end   outcomeOf
}

// A step dispatches an event, or, where inner isn't nil, runs that.
type step struct {
	event   int
	inner   *program
	swallow bool // goes on where inner failed or panicked
}

type outcomeOf int

const (
	succeeds outcomeOf = iota
	fails
	panics
)

// parse reads a program from ops and returns the rest of them.
func parse(ops []byte, events *int, depth int) (*program, []byte) {
	p := new(program)
	for len(ops) > 0 {
		op := ops[0] % 8
		ops = ops[1:]
		switch {
		case op < 3:
			*events++
			p.steps = append(p.steps, step{event: *events})
		case op < 5 && depth < 20:
			s := step{swallow: op == 3}
			s.inner, ops = parse(ops, events, depth+1)
			p.steps = append(p.steps, s)
		default:
			p.end = outcomeOf(op-5+3) % 3
			return p, ops
		}
	}
	return p, nil
}

// model says how the program ends, appends what it puts off and reports whether
// a run within it failed.
func (p *program) model(putOff *[]int) (end outcomeOf, doomed bool) {
	for _, s := range p.steps {
		if s.inner == nil {
			*putOff = append(*putOff, s.event)
			continue
		}
		innerEnd, innerDoomed := s.inner.model(putOff)
		doomed = doomed || innerDoomed || innerEnd != succeeds
		if innerEnd != succeeds && !s.swallow {
			return innerEnd, doomed
		}
	}
	return p.end, doomed
}

func (p *program) run(ctx context.Context, e *engine, bus *eventbus.Bus, opts *txn.Options) error {
	return e.run(ctx, opts, func(ctx context.Context) error {
		for _, s := range p.steps {
			var err error
			if s.inner == nil {
				err = bus.Call(ctx, eventbus.MustData("n", "counted", s.event))
			} else {
				err = func() error {
					if s.swallow {
						defer func() { _ = recover() }()
					}
					return s.inner.run(ctx, e, bus, nil)
				}()
			}
			if err != nil && !s.swallow {
				return err
			}
		}
		switch p.end {
		case fails:
			return errFn
		case panics:
			panic("boom")
		}
		return nil
	})
}

// FuzzRuns compares random runs within runs, which succeed, fail, panic and
// swallow each other's failures, with the model above. Every third event's
// handler fails after the commit.
func FuzzRuns(f *testing.F) {
	f.Add([]byte{0, 3, 0, 5, 0, 5, 0, 0, 5})
	f.Add([]byte{0, 3, 0, 6, 0, 5})    // an inner error swallowed
	f.Add([]byte{0, 3, 0, 7, 0, 5})    // an inner panic swallowed
	f.Add([]byte{4, 4, 0, 7, 5, 5, 0}) // a panic all the way up
	f.Add([]byte{0, 4, 3, 0, 6, 5, 5, 1, 5})
	f.Fuzz(func(t *testing.T, ops []byte) {
		events := 0
		for len(ops) > 0 {
			var p *program
			p, ops = parse(ops, &events, 0)
			var want, wantFailed, got, gotFailed []int
			end, doomed := p.model(&want)
			committed := end == succeeds && !doomed
			if !committed {
				want = nil
			}
			for _, n := range want {
				if n%3 == 0 {
					wantFailed = append(wantFailed, n)
				}
			}

			e, bus := new(engine), eventbus.New(nil)
			bus.Register("n", "counted", func(_ context.Context, d eventbus.Data) error {
				n, err := eventbus.Decode[int](d)
				got = append(got, n)
				if n%3 == 0 {
					gotFailed = append(gotFailed, n)
					return errors.Join(err, errFn)
				}
				return err
			}, txn.AfterCommit())
			reported := 0
			opts := &txn.Options{OnError: func(context.Context, error) { reported++ }}

			var err error
			panicked := true
			func() {
				defer func() { _ = recover() }()
				err = p.run(t.Context(), e, bus, opts)
				panicked = false
			}()

			if panicked != (end == panics) || !panicked && (err == nil) != committed {
				t.Errorf("end %d, doomed %v, yet panicked %v, error %v", end, doomed, panicked, err)
			}
			last := map[bool]string{true: "commit", false: "rollback"}[committed]
			if diff := cmp.Diff([]string{"begin", last}, e.log); diff != "" {
				t.Errorf("engine (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after the commit (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantFailed, gotFailed); diff != "" || reported != len(wantFailed) {
				t.Errorf("%d failures reported (-want +got):\n%s", reported, diff)
			}
		}
	})
}
