// Package metadata carries string pairs along with a context: the request id,
// the correlation id, the source of an event. It is what middleware logs and
// filters by, and what crosses a process boundary beside the params.
//
//	ctx = metadata.With(ctx, "request_id", "r-17")
//	err := bus.Publish(ctx, placed)
//
// and in a handler, a middleware or whatever they call
//
//	id := metadata.Get(ctx, "request_id") // "r-17"
//
// A context never changes: With and WithAll return a new one, and neither its
// parent nor its siblings see the pairs. All returns a copy. Nothing here fails,
// and everything is safe for concurrent use.
//
// Keys are compared byte by byte. Names in lower case, digits and underscores
// survive every broker and every HTTP proxy.
package metadata

import (
	"context"
	"maps"
)

// With returns a context with the pair beside those of ctx. The value replaces
// the one that ctx has for key.
func With(ctx context.Context, key, value string) context.Context {
	return WithAll(ctx, map[string]string{key: value})
}

// WithAll returns a context with pairs beside those of ctx. Where both have a
// key the value of pairs holds. The map is copied.
func WithAll(ctx context.Context, pairs map[string]string) context.Context {
	if len(pairs) == 0 {
		return ctx
	}
	all := All(ctx)
	maps.Copy(all, pairs)
	return context.WithValue(ctx, contextKey{}, all)
}

// Get returns the value that ctx has for key, or the empty string. All tells a
// missing pair from an empty value.
func Get(ctx context.Context, key string) string { return of(ctx)[key] }

// All returns the pairs of ctx as a map of the caller's own, empty but never nil
// where there are none.
func All(ctx context.Context) map[string]string {
	all := make(map[string]string, len(of(ctx))+1)
	maps.Copy(all, of(ctx))
	return all
}

type contextKey struct{}

// of returns the map that ctx shares with all contexts derived from it, so
// nobody may write to it.
func of(ctx context.Context) map[string]string {
	pairs, _ := ctx.Value(contextKey{}).(map[string]string)
	return pairs
}
