package sqltest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// program is a run: orders to place and runs within it, then its end.
type program struct {
	Steps []step
	End   string // "nil", "error", "panic", "cancel": nil with a context that is done, or "constraint": a COMMIT that fails
}

type step struct {
	Place   int
	Inner   *program // where it isn't nil, a run instead
	Swallow bool     // goes on where Inner failed or panicked
}

func programs(next *int, depth int) *rapid.Generator[*program] {
	return rapid.Custom(func(t *rapid.T) *program {
		p := new(program)
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			if depth < 3 && rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
				p.Steps = append(p.Steps, step{
					Inner: programs(next, depth+1).Draw(t, "inner"), Swallow: rapid.Bool().Draw(t, "swallow")})
				continue
			}
			*next++
			p.Steps = append(p.Steps, step{Place: *next})
		}
		p.End = rapid.SampledFrom([]string{"nil", "nil", "nil", "error", "panic", "cancel", "constraint"}).Draw(t, "end")
		return p
	})
}

// model is what the program does by the words of the package comment: what it
// places, whether the transaction may still commit, and how it ends, "nil",
// "error" or "panic".
func (p *program) model(depth int) (placed []int, mayCommit bool, end string) {
	mayCommit = true
	for _, s := range p.Steps {
		if s.Inner == nil {
			placed = append(placed, s.Place)
			continue
		}
		inner, innerMay, innerEnd := s.Inner.model(depth + 1)
		placed, mayCommit = append(placed, inner...), mayCommit && innerMay
		if innerEnd != "nil" && !s.Swallow {
			return placed, false, innerEnd
		}
	}
	switch p.End {
	case "error", "panic":
		return placed, false, p.End
	case "cancel":
		return placed, false, "error"
	case "constraint":
		mayCommit = false // the run that joined can't know
	}
	if depth == 0 && !mayCommit {
		return placed, false, "error"
	}
	return placed, mayCommit, "nil"
}

func (p *program) run(ctx context.Context, s *shop) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.run(ctx, func(ctx context.Context) error {
		for _, st := range p.Steps {
			if st.Inner == nil {
				if err := s.place(ctx, st.Place); err != nil {
					return err
				}
				continue
			}
			err := func() error {
				if st.Swallow {
					defer func() { _ = recover() }()
				}
				return st.Inner.run(ctx, s)
			}()
			if err != nil && !st.Swallow {
				return err
			}
		}
		switch p.End {
		case "error":
			return errFn
		case "panic":
			panic("boom")
		case "cancel":
			cancel()
		case "constraint":
			return s.breakConstraint(ctx)
		}
		return nil
	})
}

// TestModel runs random programs one after the other on one database. After
// each, rows and mails are those of the model.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(rt, t.TempDir())
		next, want := 0, []int(nil)
		for range rapid.IntRange(1, 4).Draw(rt, "programs") {
			p := programs(&next, 0).Draw(rt, "program")
			placed, commits, end := p.model(0)
			if commits {
				want = append(want, placed...)
			}
			var err error
			how := outcome(func() { err = p.run(context.Background(), s) })
			if (how != nil) != (end == "panic") || (err != nil) != (end == "error") {
				rt.Errorf("ended by %v with error %v, want %s", how, err, end)
			}
			if diff := cmp.Diff(want, s.rows(rt), cmpopts.EquateEmpty()); diff != "" {
				rt.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, s.mails); diff != "" || s.failed != nil {
				rt.Errorf("failures %v, mails (-want +got):\n%s", errors.Join(s.failed...), diff)
			}
		}
	})
}
