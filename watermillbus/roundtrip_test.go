package watermillbus_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A hop is one passage of an event from a process to the next.
type hop struct {
	Data  eventbus.Data
	Pairs map[string]string // that the process has of its own
	CE    bool
}

// TestRoundTrip sends events through a row of processes. In each, the handler of
// what came in dispatches the next event. Data and pairs arrive as they were, the
// pairs of all processes before among them, and each message has an id of its own.
func TestRoundTrip(t *testing.T) {
	name := rapid.OneOf(rapid.StringN(1, 10, 40), rapid.SampledFrom([]string{"order", "a.b", ".", "*", "eventbus_x", "\x00", "\xff", "%41"}))
	params := rapid.Custom(func(t *rapid.T) []byte {
		switch rapid.IntRange(0, 3).Draw(t, "kind of params") {
		case 0:
			return nil
		case 1:
			return rapid.SampledFrom([][]byte{{}, []byte(" 1 "), []byte("{\"a\":1.00,\n \"a\":1e2}"), []byte("\"\xff\""), []byte("12345678901234567890")}).Draw(t, "params")
		}
		b, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "params"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	key := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"request_id", "traceparent", "id", "time", "ce", "eventbus"})).Filter(func(s string) bool {
		return !strings.HasPrefix(s, "ce-") && !strings.HasPrefix(s, "eventbus_")
	})
	hops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) hop {
		return hop{
			eventbus.Data{Domain: name.Draw(t, "domain"), Action: name.Draw(t, "action"), RawParams: params.Draw(t, "params")},
			rapid.MapOf(key, rapid.String()).Draw(t, "pairs"),
			rapid.Bool().Draw(t, "CloudEvents"),
		}
	}), 1, 4)

	rapid.Check(t, func(t *rapid.T) {
		row := hops.Draw(t, "hops")
		// The same event again, while it is handled, is the one that came in.
		for i := range row[1:] {
			prev, next := row[i].Data, row[i+1].Data
			if prev.Domain == next.Domain && prev.Action == next.Action && string(prev.RawParams) == string(next.RawParams) {
				t.Skip()
			}
		}
		ids := map[string]bool{}
		ctx, want := context.Background(), map[string]string{}
		for i, h := range row {
			ctx = metadata.WithAll(ctx, h.Pairs)
			maps.Copy(want, h.Pairs)
			at := time.Unix(int64(i), 5)
			o := watermillbus.Options{Identify: func(context.Context, eventbus.Data) (string, time.Time) { return "", at }}
			if h.CE {
				o.Source = "/hop"
			}
			var out []*message.Message
			if err := watermillbus.Forward(keep(&out), "t", &o)(ctx, h.Data); err != nil {
				t.Fatal(err)
			}
			if len(out) != 1 || ids[out[0].UUID] {
				t.Fatalf("hop %d: messages %v, want one with an id of its own", i, out)
			}
			ids[out[0].UUID] = true

			arrived := 0
			err := watermillbus.Dispatch(func(next context.Context, got eventbus.Data) error {
				arrived++
				if diff := cmp.Diff(h.Data, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("hop %d: data (-sent +got):\n%s", i, diff)
				}
				pairs := metadata.All(next)
				if pairs[watermillbus.IDKey] != out[0].UUID || pairs[watermillbus.TimeKey] != at.UTC().Format(time.RFC3339Nano) {
					t.Errorf("hop %d: id %q and time %q, want %q and %v", i, pairs[watermillbus.IDKey], pairs[watermillbus.TimeKey], out[0].UUID, at)
				}
				if _, ok := pairs["ce-type"]; ok != h.CE {
					t.Errorf("hop %d: ce-type is there: %v, want %v", i, ok, h.CE)
				}
				maps.DeleteFunc(pairs, func(k, _ string) bool { return strings.HasPrefix(k, "eventbus_") || strings.HasPrefix(k, "ce-") })
				if diff := cmp.Diff(want, pairs); diff != "" {
					t.Errorf("hop %d: pairs (-sent +got):\n%s", i, diff)
				}
				ctx = next
				return nil
			})(out[0])
			if err != nil || arrived != 1 {
				t.Fatalf("hop %d: error %v and %d events, want one", i, err, arrived)
			}
		}
	})
}

// TestCloudEventsRoundTrip reads messages by their CloudEvents attributes alone,
// as programs in other languages write and read them.
func TestCloudEventsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.StringN(1, 10, 40).Draw(t, "domain")
		action := rapid.StringN(1, 10, 40).Filter(func(s string) bool { return !strings.Contains(s, ".") }).Draw(t, "action")
		id := rapid.StringN(1, 10, 40).Draw(t, "id")
		o := watermillbus.Options{Source: rapid.StringN(1, 10, 40).Draw(t, "source"), Identify: func(context.Context, eventbus.Data) (string, time.Time) {
			return id, time.Unix(1, 2)
		}}
		var out []*message.Message
		if err := watermillbus.Forward(keep(&out), "t", &o)(context.Background(), eventbus.Data{Domain: domain, Action: action}); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(out[0].Metadata, func(k, _ string) bool { return !strings.HasPrefix(k, "ce-") })
		for k, v := range out[0].Metadata {
			if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%s: %q is not fit for a header", k, v)
			}
		}
		err := watermillbus.Dispatch(func(ctx context.Context, got eventbus.Data) error {
			if got.Domain != domain || got.Action != action {
				t.Errorf("event %v, want %s/%s", got, domain, action)
			}
			if g := metadata.Get(ctx, watermillbus.IDKey); g != id {
				t.Errorf("id %q, want %q", g, id)
			}
			if g := metadata.Get(ctx, watermillbus.TimeKey); g != "1970-01-01T00:00:01.000000002Z" {
				t.Errorf("time %q", g)
			}
			return nil
		})(out[0])
		if err != nil {
			t.Fatal(err)
		}
	})
}
