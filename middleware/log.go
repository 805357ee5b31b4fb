package middleware

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
)

// Log returns a Middleware that logs each run of a handler when it ends: at Info
// if it succeeded, at Error if it failed, panicked or ended its goroutine. The
// attributes are
//
//   - domain and action of the event, and the handler's name
//   - duration, as slog.Duration
//   - err, of a handler that failed, and stack, of one that panicked
//   - the pairs of package metadata that keys name, where the context has them
//
// and never the params. With a nil log it logs nothing, as a Bus does. A Bus with
// a logger logs failures itself, so there a failure gives two lines.
//
// What runs is all that Log wraps: of a handler that middleware after it puts
// off, such as txn.AfterCommit, it logs the putting off.
func Log(log *slog.Logger, keys ...string) eventbus.Middleware {
	keys = slices.Clone(keys)
	return func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		if log == nil {
			return next
		}
		return func(ctx context.Context, data eventbus.Data) (err error) {
			level, msg := slog.LevelError, "event handler did not return"
			start := time.Now()
			defer func() {
				duration := time.Since(start)
				if !log.Enabled(ctx, level) {
					return
				}
				attrs := []slog.Attr{slog.String("domain", data.Domain), slog.String("action", data.Action),
					slog.String("handler", h.Name), slog.Duration("duration", duration)}
				if err != nil {
					attrs = append(attrs, slog.Any("err", err))
				}
				if p, ok := errors.AsType[*eventbus.PanicError](err); ok {
					attrs = append(attrs, slog.String("stack", string(p.Stack)))
				}
				log.LogAttrs(ctx, level, msg, append(attrs, pairs(ctx, keys)...)...)
			}()
			err = next(ctx, data)
			level, msg = slog.LevelInfo, "event handled"
			if err != nil {
				level, msg = slog.LevelError, "event handler failed"
			}
			return err
		}
	}
}

// pairs returns those of the metadata that keys name.
func pairs(ctx context.Context, keys []string) (attrs []slog.Attr) {
	if len(keys) == 0 {
		return nil
	}
	all := metadata.All(ctx)
	for _, key := range keys {
		if value, ok := all[key]; ok {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	return attrs
}
