package metadata_test

import (
	"context"
	"maps"
	"testing"

	"example.com/eventbus/metadata"
	"github.com/google/go-cmp/cmp"
)

func TestGetFindsTheNearestValue(t *testing.T) {
	outer := metadata.WithAll(t.Context(), map[string]string{"request_id": "r-1", "source": "shop"})
	inner := metadata.With(outer, "request_id", "r-2")
	for _, tt := range []struct {
		name      string
		ctx       context.Context
		key, want string
	}{
		{"replaced", inner, "request_id", "r-2"},
		{"inherited", inner, "source", "shop"},
		{"parent unchanged", outer, "request_id", "r-1"},
		{"missing", inner, "tenant", ""},
		{"other case", inner, "Source", ""},
		{"no metadata", t.Context(), "source", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := metadata.Get(tt.ctx, tt.key); got != tt.want {
				t.Errorf("Get(%q) = %q, want %q", tt.key, got, tt.want)
			}
		})
	}
}

func TestAllTellsMissingFromEmpty(t *testing.T) {
	all := metadata.All(metadata.With(t.Context(), "tenant", ""))
	if _, ok := all["tenant"]; !ok || len(all) != 1 {
		t.Errorf("All = %q, want the empty tenant alone", all)
	}
}

func TestMapsAreCopied(t *testing.T) {
	pairs := map[string]string{"source": "shop"}
	ctx := metadata.WithAll(t.Context(), pairs)
	pairs["source"] = "changed after WithAll"
	metadata.All(ctx)["source"] = "changed in All"
	if got := metadata.Get(ctx, "source"); got != "shop" {
		t.Errorf("source = %q: the context shares a map", got)
	}
}

func TestAllIsNeverNil(t *testing.T) {
	all := metadata.All(t.Context())
	if all == nil {
		t.Fatal("All of a context without metadata is nil")
	}
	all["source"] = "shop"
	if got := metadata.Get(t.Context(), "source"); got != "" {
		t.Errorf("source = %q, set through a map of All", got)
	}
}

func TestNothingToAddIsFree(t *testing.T) {
	ctx := metadata.With(t.Context(), "source", "shop")
	if metadata.WithAll(ctx, nil) != ctx {
		t.Error("WithAll with no pairs made a new context")
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	ctx := metadata.With(t.Context(), "source", "shop")
	if n := testing.AllocsPerRun(100, func() { _ = metadata.Get(ctx, "source") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzTree derives contexts from each other at random and compares all of them,
// not only the newest, with a map of its own for each.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 1, 2, 1, 1, 3, 0, 1, 4})
	f.Add([]byte{0, 0, 0, 3, 5, 7, 1, 255, 2})
	f.Fuzz(func(t *testing.T, ops []byte) {
		type node struct {
			ctx  context.Context
			want map[string]string
		}
		nodes := []node{{t.Context(), map[string]string{}}}
		for ; len(ops) >= 3; ops = ops[3:] {
			from := nodes[int(ops[0])%len(nodes)]
			pairs := map[string]string{string('a' + rune(ops[1]%4)): string('A' + rune(ops[2]%26))}
			if ops[1] >= 128 {
				pairs["b"], pairs["e"] = "both", ""
			}
			ctx := metadata.WithAll(from.ctx, pairs)
			if len(pairs) == 1 {
				for key, value := range pairs {
					ctx = metadata.With(from.ctx, key, value)
				}
			}
			want := maps.Clone(from.want)
			maps.Copy(want, pairs)
			nodes = append(nodes, node{ctx, want})
		}
		for i, n := range nodes {
			if diff := cmp.Diff(n.want, metadata.All(n.ctx)); diff != "" {
				t.Errorf("context %d (-want +got):\n%s", i, diff)
			}
		}
	})
}
