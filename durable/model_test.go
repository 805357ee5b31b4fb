package durable_test

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What is stored is what a map would hold, whatever is committed, rolled back,
// discarded, retried and purged in between.
func TestStoredAsInAModel(t *testing.T) {
	t.Parallel()
	if !*full {
		if err := flag.Set("rapid.checks", "20"); err != nil {
			t.Fatal(err)
		}
	}
	e := openSQLite(t, filepath.Join(t.TempDir(), "test.db"))
	c, bus := e.client(t, nil), eventbus.New(nil)
	names := []string{"a", "b"}
	for _, name := range names {
		bus.Register("order", "placed", func(context.Context, eventbus.Data) error { return nil }, c.Reaction(name))
	}
	rapid.Check(t, func(rt *rapid.T) {
		check := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		check(e.exec(t.Context(), "DELETE FROM river_job"))
		type key struct{ reaction, number string }
		model := map[key]durable.State{}
		next := 0
		ids := func() map[key]int64 {
			all := map[key]int64{}
			for job, err := range c.List(t.Context(), durable.Filter{}) {
				check(err)
				all[key{job.Reaction, string(job.Event.RawParams)}] = job.ID
			}
			return all
		}
		change := func(do func(context.Context, durable.Filter) (int, error), from []durable.State, to durable.State) {
			var f durable.Filter
			var fits func(key) bool
			if all := ids(); len(all) > 0 && rapid.Bool().Draw(rt, "by id") {
				k := rapid.SampledFrom(slices.SortedFunc(maps.Keys(all), func(x, y key) int {
					return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(x.reaction, y.reaction))
				})).Draw(rt, "job")
				f.ID = all[k]
				fits = func(l key) bool { return l == k }
			} else {
				f.Reaction = rapid.SampledFrom(names).Draw(rt, "reaction")
				fits = func(l key) bool { return l.reaction == f.Reaction }
			}
			want := 0
			for k, s := range model {
				if fits(k) && slices.Contains(from, s) {
					model[k] = to
					want++
				}
			}
			n, err := do(t.Context(), f)
			check(err)
			if n != want {
				rt.Fatalf("changed %d, want %d", n, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"dispatch": func(rt *rapid.T) {
				n, commits := rapid.IntRange(1, 4).Draw(rt, "events"), rapid.Bool().Draw(rt, "commits")
				err := e.run(t.Context(), func(ctx context.Context) error {
					for i := range n {
						if err := bus.Publish(ctx, numbered(next+i)); err != nil {
							return err
						}
					}
					if !commits {
						return errHandler
					}
					return nil
				})
				if (err == nil) != commits {
					rt.Fatal(err)
				}
				for i := range n {
					for _, name := range names {
						if commits {
							model[key{name, string(numbered(next + i).RawParams)}] = durable.Waiting
						}
					}
				}
				next += n
			},
			"discard": func(*rapid.T) { change(c.Discard, []durable.State{durable.Waiting}, durable.GivenUp) },
			"retry":   func(*rapid.T) { change(c.Retry, []durable.State{durable.Waiting, durable.GivenUp}, durable.Waiting) },
			"purge": func(rt *rapid.T) {
				want := 0
				for k, s := range model {
					if s == durable.GivenUp {
						delete(model, k)
						want++
					}
				}
				n, err := c.Purge(t.Context(), 0)
				check(err)
				if n != want {
					rt.Fatalf("purged %d, want %d", n, want)
				}
			},
			"": func(rt *rapid.T) {
				got := map[key]durable.State{}
				counted := map[durable.State]int{durable.Waiting: 0, durable.Running: 0, durable.Retrying: 0, durable.GivenUp: 0, durable.Done: 0}
				for job, err := range c.List(t.Context(), durable.Filter{}) {
					check(err)
					got[key{job.Reaction, string(job.Event.RawParams)}] = job.State
					counted[job.State]++
				}
				if diff := gocmp.Diff(model, got); diff != "" {
					rt.Fatalf("(-want +got):\n%s", diff)
				}
				counts, err := c.Count(t.Context(), durable.Filter{})
				check(err)
				if diff := gocmp.Diff(counted, counts); diff != "" {
					rt.Fatalf("counted (-want +got):\n%s", diff)
				}
			},
		})
	})
}
