package main

import (
	"strings"
	"testing"
)

// A bus that moved to a path with another end is known by its package's name.
func TestMovedBus(t *testing.T) {
	t.Setenv("GOWORK", "off")
	files := withBus(t, map[string]string{
		"bus/shop/main.go": strings.Replace(oneSlip, `"m.test/eventbus"`, `"moved.test/acme/bus"`, 1),
		"go.mod":           "module moved.test/acme\n\ngo 1.26.0\n",
		"bus/queue/queue.go": `package queue

import (
	"context"

	"moved.test/acme/bus"
)

type Queue struct{ jobs chan eventbus.Data }

func (q *Queue) Publish(ctx context.Context, data eventbus.Data) error {
	q.jobs <- data
	return nil
}
`,
		"loop/main.go": `package main

import (
	"context"

	"moved.test/acme/bus"
	"moved.test/acme/bus/queue"
)

func main() {
	bus, q := eventbus.New(nil), &queue.Queue{}
	bus.Register("a", "b", func(ctx context.Context, d eventbus.Data) error {
		return q.Publish(ctx, eventbus.MustData("a", "b", nil))
	})
}
`,
	})
	files["bus/bus.go"] = files["eventbus/eventbus.go"]
	delete(files, "eventbus/eventbus.go")
	dir := tree(t, files)
	for pattern, want := range map[string]string{
		"./bus/shop": "bus/shop/main.go:14:40: user/craeted: no handler is registered for it; did you mean user/created",
		"./loop":     "loop/main.go:13:10: a/b: events set each other off",
	} {
		if status, out, errs := runIn(t, dir, "check", pattern); status != 1 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: status %d, output\n%swant\n%s\n%s", pattern, status, out, want, errs)
		}
	}
}
