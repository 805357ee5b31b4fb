// A worker that subscribes while it runs, and stops.
package main

import (
	"context"

	"bus.test/eventbus"
)

type worker struct {
	bus  *eventbus.Bus
	stop []func()
}

func (w *worker) start() {
	w.stop = append(w.stop, w.bus.Register("job", "queued", w.on))
}

func (w *worker) close() {
	for _, s := range w.stop {
		s()
	}
}

func (w *worker) on(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	w := &worker{bus: eventbus.New(nil)}
	go w.start()
	defer w.close()
	_ = w.bus.Publish(context.Background(), eventbus.MustData("job", "queued", nil))
}
