package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/eventbus"
)

// lane is one kind of work, which every contestant does.
type lane struct {
	name, title string
	handlers    int // that a dispatch runs
	unit        int // how many things of the kind the title names are done at a time

	// prepare sets the work up on a new bus, with fn for all its handlers.
	prepare func(l lane, c contestant, fn eventbus.Func) work
}

type work struct {
	do      func(n int) time.Duration // does it n times and says how long that took
	close   func()
	changes *atomic.Int64 // how many registrations came and went meanwhile; lane (h) only
}

// groups are the lanes, those together that are compared with one another: they
// are measured in the same turns.
var groups = [][]lane{
	{{"a", "1 handler", 1, 1, one}, {"a60", "1 handler, from 60 frames down", 1, 1, deepDown}},
	{{"b", "no handler", 0, 1, one}},
	{{"c10", "10 handlers", 10, 1, one}},
	{{"c100", "100 handlers", 100, 1, one}},
	{{"d1000", "1 handler, each of 1,000 pairs in turn", 1, 1, pairs(1000)}},
	{{"d10000", "1 handler, each of 10,000 pairs in turn", 1, 1, pairs(10000)}},
	{
		{"e1", "1 handler, one core", 1, 1, parallel(1, 1, false)},
		{"e", "1 handler, two cores in parallel", 1, 1, parallel(2, 2, false)},
		// With no third P the registering goroutine would wait for one of the
		// two to be preempted, which takes 10 ms.
		{"h", "1 handler, two cores, while wiring changes", 1, 1, parallel(3, 2, true)},
	},
	{{"f1", "encode, dispatch, decode by 1 handler", 1, 1, endToEnd(newOrder, sameOrder)}},
	{{"f5", "encode, dispatch, decode by 5 handlers", 5, 1, endToEnd(newOrder, sameOrder)}},
	{{"f1flat", "(f1) with params of plain fields", 1, 1, endToEnd(newPayment, samePayment)}},
	{{"f5flat", "(f5) with params of plain fields", 5, 1, endToEnd(newPayment, samePayment)}},
	{
		{"g100", "registration, each of the first 100", 0, 100, register},
		{"g10000", "registration, each of 10,000", 0, 10000, register},
	},
}

func lanes() []lane { return slices.Concat(groups...) }

// events have 10,000 names, in no order that a cache could like.
var events = func() []event {
	var es []event
	for i := range 100 {
		for j := range 100 {
			d := eventbus.Data{Domain: fmt.Sprintf("domain%02d", i), Action: fmt.Sprintf("happened%02d", j), RawParams: []byte("{}")}
			es = append(es, event{d, d.String()})
		}
	}
	rand.Shuffle(len(es), func(i, j int) { es[i], es[j] = es[j], es[i] })
	return es
}()

// one is dispatch of one event, beside which another is registered.
func one(l lane, c contestant, fn eventbus.Func) work {
	b := c.start()
	b.on(events[1], fn)
	for range l.handlers {
		b.on(events[0], fn)
	}
	dispatch := b.dispatcher(events[:1])
	return work{do: func(n int) time.Duration { return spread(n, dispatch) }, close: b.close}
}

// deepDown is one, called from 60 frames further down.
func deepDown(l lane, c contestant, fn eventbus.Func) work {
	w := one(l, c, fn)
	flat := w.do
	w.do = func(n int) time.Duration { return down(60, func() time.Duration { return flat(n) }) }
	return w
}

//go:noinline
func down(frames int, f func() time.Duration) time.Duration {
	if frames == 0 {
		return f()
	}
	return down(frames-1, f)
}

// pairs is dispatch of n events that are all registered, in turn.
func pairs(n int) func(lane, contestant, eventbus.Func) work {
	return func(l lane, c contestant, fn eventbus.Func) work {
		b := c.start()
		for _, e := range events[:n] {
			b.on(e, fn)
		}
		dispatch := b.dispatcher(events[:n])
		return work{do: func(n int) time.Duration { return spread(n, dispatch) }, close: b.close}
	}
}

// parallel is dispatch of one event by as many goroutines as are given, on as
// many Ps, perhaps while another event's handler comes and goes.
func parallel(procs, goroutines int, rewire bool) func(lane, contestant, eventbus.Func) work {
	return func(l lane, c contestant, fn eventbus.Func) work {
		b := c.start()
		b.on(events[0], fn)
		var dispatchers []func(int)
		for range goroutines {
			dispatchers = append(dispatchers, b.dispatcher(events[:1]))
		}
		w := work{close: b.close}
		if rewire {
			w.changes = new(atomic.Int64)
		}
		w.do = func(n int) time.Duration {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			if rewire {
				defer rewiring(func() {
					if !c.fixed {
						b.on(events[1], fn)()
					}
					w.changes.Add(1)
				})()
			}
			start := time.Now()
			var wg sync.WaitGroup
			for i, dispatch := range dispatchers {
				wg.Go(func() { spread(n*(i+1)/goroutines-n*i/goroutines, dispatch) })
			}
			wg.Wait()
			return time.Since(start)
		}
		return w
	}
}

// rewiring calls change on a goroutine of its own until stop is called: 2,000
// times a second, which is plenty for wiring. Without a pace it would take its
// third of two cores, and the lane would measure that.
func rewiring(change func()) (stop func()) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	tick := time.NewTicker(time.Second / 2000)
	wg.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				change()
			}
		}
	})
	return func() {
		tick.Stop()
		close(over)
		wg.Wait()
	}
}

type order struct {
	ID       int64     `json:"id"`
	Customer string    `json:"customer"`
	Email    string    `json:"email"`
	Items    []item    `json:"items"`
	Total    int64     `json:"total"`
	Currency string    `json:"currency"`
	PlacedAt time.Time `json:"placed_at"`
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Price    int64  `json:"price"`
}

func newOrder(id int64) order {
	return order{
		ID: id, Customer: "cus_01H8XGJWBW", Email: "someone@example.com",
		Items: []item{{"tea-earl-grey-250", 2, 1290}, {"pot-cast-iron", 1, 4950}},
		Total: 7530, Currency: "EUR", PlacedAt: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC),
	}
}

func sameOrder(x, y order) bool {
	return x.ID == y.ID && slices.Equal(x.Items, y.Items) && x.PlacedAt.Equal(y.PlacedAt)
}

type payment struct {
	ID       int64     `json:"id"`
	Order    int64     `json:"order"`
	Customer string    `json:"customer"`
	Method   string    `json:"method"`
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	PaidAt   time.Time `json:"paid_at"`
}

func newPayment(id int64) payment {
	return payment{
		ID: id, Order: 184467, Customer: "cus_01H8XGJWBW", Method: "sepa_debit",
		Amount: 7530, Currency: "EUR", PaidAt: time.Date(2026, 3, 14, 9, 27, 53, 0, time.UTC),
	}
}

func samePayment(x, y payment) bool {
	return x.ID == y.ID && x.Method == y.Method && x.PaidAt.Equal(y.PaidAt)
}

// endToEnd is params that are made anew, encoded, dispatched, and decoded by each
// handler. The bus does so with NewData and On, the others with encoding/json as
// it is.
func endToEnd[T any](fresh func(id int64) T, same func(x, y T) bool) func(lane, contestant, eventbus.Func) work {
	return func(l lane, c contestant, fn eventbus.Func) work {
		b := c.start()
		id := int64(100000)
		var params T
		bus, isOurs := b.(ours)
		sent := []event{events[0]}
		handle := func(ctx context.Context, got T) error {
			if !same(got, params) {
				return fmt.Errorf("sent %v, got %v", params, got)
			}
			return fn(ctx, eventbus.Data{})
		}
		for range l.handlers {
			if isOurs {
				eventbus.On(bus.Bus, sent[0].Domain, sent[0].Action, handle)
				continue
			}
			b.on(sent[0], func(ctx context.Context, d eventbus.Data) error {
				var got T
				if err := json.Unmarshal(d.RawParams, &got); err != nil {
					return err
				}
				return handle(ctx, got)
			})
		}
		dispatch := b.dispatcher(sent)
		return work{
			do: func(n int) time.Duration {
				start := time.Now()
				for range n {
					var err error
					id++
					params = fresh(id)
					if isOurs {
						sent[0].Data, err = eventbus.NewData(sent[0].Domain, sent[0].Action, params)
					} else {
						sent[0].RawParams, err = json.Marshal(params)
					}
					check(err)
					dispatch(1)
				}
				return time.Since(start)
			},
			close: b.close,
		}
	}
}

// register is the registration of l.unit pairs with a new bus, each with one
// handler.
func register(l lane, c contestant, fn eventbus.Func) work {
	return work{
		do: func(n int) (all time.Duration) {
			for range n {
				b := c.start()
				start := time.Now()
				for _, e := range events[:l.unit] {
					b.on(e, fn)
				}
				all += time.Since(start)
				b.close()
			}
			return all
		},
		close: func() {},
	}
}

// spread does n dispatches from 256 places of the stack, at most 16 frames down,
// and says how long that took: how often the bus looks at its stack for cycles
// depends on where it stands.
func spread(n int, dispatch func(n int)) time.Duration {
	const places = 1 << len(pads)
	start := time.Now()
	for place := range min(n, places) {
		f := func() { dispatch(n*(place+1)/min(n, places) - n*place/min(n, places)) }
		for i, pad := range pads {
			if inner := f; place>>i&1 == 1 {
				f = func() { pad(inner) }
			}
		}
		f()
	}
	return time.Since(start)
}

var pads = [...]func(func()){
	pad[[1]uint64], pad[[2]uint64], pad[[4]uint64], pad[[8]uint64], pad[[16]uint64], pad[[32]uint64], pad[[64]uint64], pad[[128]uint64],
}

// pad calls f further down the stack, by the size of an S.
//
//go:noinline
func pad[S any](f func()) {
	var s S
	f()
	runtime.KeepAlive(&s)
}
