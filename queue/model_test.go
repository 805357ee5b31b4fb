package queue_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/queue"
	gocmp "github.com/google/go-cmp/cmp"
)

// model is a queue that does everything the obvious way: it looks at all jobs
// whenever it needs one.
type model struct {
	workers, capacity int
	overflow          queue.Overflow
	now               int

	waiting, blocked, scheduled []modelJob
	running                     []int
	takes, accepted             int
	dropped                     []int
	answers                     map[int]string // what became of producers
	stats                       queue.Stats
}

type modelJob struct{ id, priority, seq, at int }

const (
	accepted = "accepted"
	full     = "full"
	gaveUp   = "gave up"
	shut     = "closed"
	other    = "another error"
)

func (m *model) submit(id, priority int, fromWorker bool) {
	j := modelJob{id: id, priority: priority}
	switch {
	case len(m.waiting) < m.capacity || fromWorker && m.overflow == queue.Block:
		m.accept(j)
	case m.overflow == queue.Block:
		m.blocked = append(m.blocked, j)
	case m.overflow == queue.Reject:
		m.answers[id] = full
	case m.overflow == queue.DropOldest:
		m.dropped = append(m.dropped, m.remove(&m.waiting, oldest).id)
		m.accept(j)
	}
	m.run()
}

func (m *model) accept(j modelJob) {
	m.accepted++
	j.seq = m.accepted
	m.answers[j.id] = accepted
	m.waiting = append(m.waiting, j)
}

// run gives free workers what there is, and producers the room that this makes.
func (m *model) run() {
	for len(m.running) < m.workers {
		due := slices.DeleteFunc(slices.Clone(m.scheduled), func(j modelJob) bool { return j.at > m.now })
		var j modelJob
		switch {
		case m.takes%8 == 7 && len(m.waiting) > 0:
			j = m.remove(&m.waiting, oldest)
		case len(due) > 0:
			j = m.remove(&m.scheduled, earliest)
		case len(m.waiting) > 0:
			j = m.remove(&m.waiting, mostUrgent)
		default:
			return
		}
		m.takes++
		m.running = append(m.running, j.id)
		for len(m.blocked) > 0 && len(m.waiting) < m.capacity {
			m.accept(m.blocked[0])
			m.blocked = m.blocked[1:]
		}
	}
}

func oldest(x, y modelJob) int     { return cmp.Compare(x.seq, y.seq) }
func earliest(x, y modelJob) int   { return cmp.Or(cmp.Compare(x.at, y.at), oldest(x, y)) }
func mostUrgent(x, y modelJob) int { return cmp.Or(cmp.Compare(y.priority, x.priority), oldest(x, y)) }

func (m *model) remove(from *[]modelJob, order func(x, y modelJob) int) modelJob {
	j := slices.MinFunc(*from, order)
	*from = slices.DeleteFunc(*from, func(o modelJob) bool { return o.id == j.id })
	return j
}

// FuzzModel lets a queue and the model do the same, and compares all that can be
// seen of them after each step.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 0, 0, 0, 1, 0})
	for overflow := range byte(3) {
		var flood, mixed []byte
		for i := range byte(40) {
			flood = append(flood, 0, i)
			mixed = append(mixed, i, i/3)
		}
		for i := range byte(40) {
			flood = append(flood, 1, i)
		}
		f.Add(append([]byte{overflow, 0, 7}, flood...))
		f.Add(append([]byte{overflow, 2, 20}, flood...))
		f.Add(append([]byte{overflow, 1, 1}, mixed...))
		f.Add(append([]byte{overflow, 3, 2}, mixed...))
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 3 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runModel(t, ops) })
	})
}

func runModel(t *testing.T, ops []byte) {
	m := &model{
		overflow: queue.Overflow(ops[0] % 3), workers: int(ops[1]%4) + 1, capacity: int(ops[2]%24) + 1,
		answers: map[int]string{},
	}
	ops = ops[3:]

	type run struct {
		ctx context.Context
		end chan func() error
	}
	var mu sync.Mutex
	running := map[int]run{}
	answers := map[int]string{}
	var dropped []int
	idOf := func(d eventbus.Data) int { id, _ := strconv.Atoi(d.Action); return id }
	q := queue.New(queue.Options{
		Workers: m.workers, Capacity: m.capacity, Overflow: m.overflow,
		OnError: func(context.Context, queue.Job, error) {},
		OnDrop: func(_ context.Context, j queue.Job, err error) {
			mu.Lock()
			defer mu.Unlock()
			dropped = append(dropped, idOf(j.Data))
		},
	})
	handle := func(ctx context.Context, d eventbus.Data) error {
		r := run{ctx, make(chan func() error)}
		mu.Lock()
		running[idOf(d)] = r
		mu.Unlock()
		defer func() {
			mu.Lock()
			delete(running, idOf(d))
			mu.Unlock()
		}()
		select {
		case end := <-r.end:
			return end()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var ids int
	event := func() eventbus.Data {
		ids++
		return eventbus.Data{Domain: "n", Action: strconv.Itoa(ids)}
	}
	var producers sync.WaitGroup
	giveUp := map[int]context.CancelFunc{}
	submit := func(ctx context.Context, priority int) {
		d := event()
		ctx, giveUp[ids] = context.WithCancel(ctx)
		producers.Go(func() {
			err := q.Async(priority)(eventbus.Handler{Name: "handle"}, handle)(ctx, d)
			mu.Lock()
			defer mu.Unlock()
			answers[idOf(d)] = answerOf(err)
		})
	}
	timers := map[int]*queue.Timer{}
	check := func(op string) {
		t.Helper()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(m.running)
		m.stats.Accepted, m.stats.Dropped = uint64(m.accepted), uint64(len(m.dropped))
		m.stats.Waiting, m.stats.Scheduled, m.stats.Running = len(m.waiting), len(m.scheduled), len(m.running)
		type view struct {
			Running, Dropped []int
			Answers          map[int]string
			Stats            queue.Stats
		}
		want := view{slices.Clone(m.running), m.dropped, m.answers, m.stats}
		got := view{slices.Sorted(maps.Keys(running)), dropped, answers, q.Stats()}
		if len(want.Running) == 0 {
			want.Running = nil
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("after %s (%d workers, capacity %d, overflow %d): model (-), queue (+):\n%s", op, m.workers, m.capacity, m.overflow, d)
		}
	}

	release := func(k int, how byte) {
		id := m.running[k%len(m.running)]
		end, failed := ending(how)
		mu.Lock()
		r := running[id]
		mu.Unlock()
		r.end <- end
		if failed {
			m.stats.Failed++
		} else {
			m.stats.Done++
		}
		m.running = slices.DeleteFunc(m.running, func(o int) bool { return o == id })
		m.run()
	}

	for ; len(ops) >= 2; ops = ops[2:] {
		op, arg := ops[0]%8, int(ops[1])
		switch op {
		case 0, 1:
			submit(context.Background(), arg%4)
			m.submit(ids, arg%4, false)
		case 2, 3:
			if len(m.running) == 0 {
				continue
			}
			release(arg, byte(arg/8))
		case 4:
			if len(m.blocked) == 0 {
				continue
			}
			i := arg % len(m.blocked)
			id := m.blocked[i].id
			giveUp[id]()
			m.answers[id] = gaveUp
			m.blocked = slices.Delete(m.blocked, i, i+1)
		case 5:
			if len(m.running) == 0 {
				continue
			}
			mu.Lock()
			ctx := running[m.running[arg%len(m.running)]].ctx
			mu.Unlock()
			submit(ctx, arg%4)
			m.submit(ids, arg%4, true)
		case 6:
			d := event()
			in := arg%6 - 1
			timer, err := q.After(t.Context(), time.Duration(in)*time.Second, handle, d)
			if err != nil {
				t.Fatal(err)
			}
			timers[ids] = timer
			m.accepted++
			m.scheduled = append(m.scheduled, modelJob{id: ids, seq: m.accepted, at: m.now + in})
			m.run()
		case 7:
			if arg%2 == 0 {
				time.Sleep(time.Second)
				m.now++
				m.run()
				break
			}
			if len(timers) == 0 {
				continue
			}
			all := slices.Sorted(maps.Keys(timers))
			id := all[arg%len(all)]
			i := slices.IndexFunc(m.scheduled, func(j modelJob) bool { return j.id == id })
			if stopped := timers[id].Stop(); stopped != (i >= 0) {
				t.Fatalf("Stop of %d: %t, scheduled: %v", id, stopped, m.scheduled)
			}
			if i >= 0 {
				m.scheduled = slices.Delete(m.scheduled, i, i+1)
				m.stats.Canceled++
			}
		}
		check(fmt.Sprintf("op %d %d", op, arg))
	}

	// The end: both drop what is early and refuse who waits for room.
	hard := len(ops) > 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var late []modelJob
	for _, j := range m.scheduled {
		if j.at > m.now || hard {
			late = append(late, j)
		}
	}
	for _, j := range m.blocked {
		m.answers[j.id] = shut
	}
	m.blocked = nil
	if hard {
		cancel()
	}
	stopped := make(chan error, 1)
	go func() { stopped <- q.Close(ctx) }()
	synctest.Wait()
	wantLeft := &queue.CloseError{}
	if hard {
		wantLeft.Interrupted = len(m.running)
		late = append(late, m.waiting...)
	} else {
		m.scheduled = slices.DeleteFunc(m.scheduled, func(j modelJob) bool { return j.at > m.now })
		slices.SortFunc(late, oldest)
		for _, j := range late {
			m.dropped = append(m.dropped, j.id)
		}
		for m.run(); len(m.running) > 0; {
			check("close")
			release(0, 0)
		}
		check("close")
	}
	err := <-stopped
	producers.Wait()
	var left queue.CloseError
	if e, ok := errors.AsType[*queue.CloseError](err); ok {
		left = *e
	}
	var want, got []int
	slices.SortFunc(late, oldest)
	for _, j := range late {
		want = append(want, j.id)
	}
	for _, j := range left.NotRun {
		got = append(got, idOf(j.Data))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(want, got) || left.Interrupted != wantLeft.Interrupted {
		t.Fatalf("closed (hard: %t) with %v not run and %d interrupted, want %v and %d", hard, got, left.Interrupted, want, wantLeft.Interrupted)
	}
	s := q.Stats()
	if s.Accepted != s.Done+s.Failed+s.Dropped+s.Canceled || s.Waiting+s.Scheduled+s.Running != 0 {
		t.Fatalf("the counts don't add up: %+v", s)
	}
}

func ending(how byte) (end func() error, failed bool) {
	switch how % 5 {
	case 1:
		return func() error { return errors.New("failed") }, true
	case 2:
		return func() error { panic("panicked") }, true
	case 3:
		return func() error { runtime.Goexit(); return nil }, true
	default:
		return func() error { return nil }, false
	}
}

func answerOf(err error) string {
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, queue.ErrFull):
		return full
	case errors.Is(err, context.Canceled):
		return gaveUp
	case errors.Is(err, queue.ErrClosed):
		return shut
	}
	return other
}
