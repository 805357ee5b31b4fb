package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/billing"
	"example.com/eventbus/examples/shop/inventory"
	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/examples/shop/order"
	"example.com/eventbus/examples/shop/user"
)

func TestDeclinedPaymentLeavesNothingBehind(t *testing.T) {
	s, failures := openShop(t)
	before := stateOf(t, s)
	err := s.orders.Place(t.Context(), request("declined", 6))
	if !errors.Is(err, errDeclined) {
		t.Errorf("Place = %v, want an error that wraps the bank's", err)
	}
	if after := stateOf(t, s); after != before {
		t.Errorf("the order left something behind: %+v before, %+v after", before, after)
	}
	if got, want := *failures, []string{"order/placing billing.(*Ledger).charge"}; !cmp.Equal(want, got) {
		t.Errorf("failures %q, want %q", got, want)
	}
	if err := s.orders.Place(t.Context(), request("visa", 12)); err != nil {
		t.Errorf("the same order with a good card and all of the stock: %v", err)
	}
}

func TestCallStopsAtTheFirstFailure(t *testing.T) {
	s, _ := openShop(t)
	before := stateOf(t, s)
	err := s.orders.Place(t.Context(), request("declined", 13))
	if _, ok := errors.AsType[*inventory.OutOfStockError](err); !ok || errors.Is(err, errDeclined) {
		t.Errorf("Place = %v, want an *inventory.OutOfStockError alone: the card isn't asked", err)
	}
	if after := stateOf(t, s); after != before {
		t.Errorf("the order left something behind: %+v before, %+v after", before, after)
	}
}

func TestMailThatFailsUndoesNothing(t *testing.T) {
	s, failures := openShop(t)
	if err := s.users.SignUp(t.Context(), "hotel", "Hotel", "desk@full.example"); err != nil {
		t.Fatal(err)
	}
	if err := s.users.SignUp(t.Context(), "club", "", "club@mail.example"); err != nil { // mail panics of that
		t.Fatal(err)
	}
	if err := s.orders.Place(t.Context(), order.Request{ID: "o-1", User: "hotel", Card: "visa", Items: []order.Item{{SKU: "mug", Quantity: 12}}}); err != nil {
		t.Fatal(err)
	}
	want := []mail.Message{{To: "cafe@mail.example", Subject: "Welcome, Cafe"}, {To: mail.Buyer, Subject: "mug runs out: 0 left"}}
	if diff := cmp.Diff(want, sent(t, s)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	var got []string
	for _, run := range s.runs.spans() {
		if _, panicked := errors.AsType[*eventbus.PanicError](run.err); run.err != nil {
			got = append(got, fmt.Sprintf("%s panicked=%t", run.label, panicked))
		}
	}
	if diff := cmp.Diff([]string{
		"line : mail.(*mailer).welcome panicked=false",
		"line : mail.(*mailer).welcome panicked=true",
		"line : mail.(*mailer).confirm panicked=false",
	}, got); diff != "" {
		t.Errorf("mails that failed (-want +got):\n%s", diff)
	}
	if len(*failures) > 0 {
		t.Errorf("failures %q of the dispatches, want none", *failures)
	}
	if _, err := s.users.Find(t.Context(), "club"); err != nil {
		t.Errorf("Find = %v after the sign-up", err)
	}
	if u, err := s.users.Find(t.Context(), "hotel"); err != nil || u.Points != 150 {
		t.Errorf("user %+v, %v; want 150 points", u, err)
	}
}

func TestNoMailOfWhatIsRolledBack(t *testing.T) {
	s, _ := openShop(t)
	before := stateOf(t, s)
	errVeto := errors.New("no")
	unregister := order.Placed.On(s.bus, func(context.Context, order.PlacedParams) error { return errVeto }) // after mail
	if err := s.orders.Place(t.Context(), request("visa", 6)); !errors.Is(err, errVeto) {
		t.Errorf("Place = %v, want %v", err, errVeto)
	}
	unregister()
	if after := stateOf(t, s); after != before {
		t.Errorf("the order left something behind: %+v before, %+v after", before, after)
	}
	if err := s.orders.Place(t.Context(), request("visa", 2)); err != nil {
		t.Fatal(err)
	}
	want := []mail.Message{
		{To: "cafe@mail.example", Subject: "Welcome, Cafe"},
		{To: "cafe@mail.example", Subject: "Order o-1: €75.00 are back on your card"},
		{To: "cafe@mail.example", Subject: "Order o-1: thank you for €25.00"},
	}
	if diff := cmp.Diff(want, sent(t, s)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

// A process that never starts to run what it stores is one that died in time.
func TestMailsSurviveTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.db")
	first, err := open(t.Context(), eventbus.New(nil), slog.New(slog.DiscardHandler), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = first.users.SignUp(t.Context(), "cafe", "Cafe", "cafe@mail.example")
	err = errors.Join(err, first.orders.Place(t.Context(), request("visa", 6)), first.close())
	if err != nil || first.post.count() > 0 {
		t.Fatalf("%v, and %d mails sent, want none", err, first.post.count())
	}
	second, err := open(t.Context(), eventbus.New(nil), slog.New(slog.DiscardHandler), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.close(); err != nil {
			t.Error(err)
		}
	})
	if err := second.start(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []mail.Message{
		{To: "cafe@mail.example", Subject: "Welcome, Cafe"},
		{To: "cafe@mail.example", Subject: "Order o-1: thank you for €75.00"},
	}
	if diff := cmp.Diff(want, sent(t, second)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	if u, err := second.users.Find(t.Context(), "cafe"); err != nil || u.Points != 75 {
		t.Errorf("user %+v, %v; want 75 points", u, err)
	}
}

func TestAuditHearsOfEveryEvent(t *testing.T) {
	s, _ := openShop(t)
	_ = s.orders.Place(t.Context(), request("declined", 10))
	if err := s.orders.Place(t.Context(), request("visa", 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.orders.Cancel(t.Context(), "o-1"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range s.audit.Entries() {
		got = append(got, e.Domain+"/"+e.Action)
	}
	want := strings.Fields("user/created order/placing order/aborted order/placing order/placed inventory/low order/cancelled billing/refunded")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("on record (-want +got):\n%s", diff)
	}
}

func TestCancelGivesAllBack(t *testing.T) {
	s, failures := openShop(t)
	if err := s.orders.Place(t.Context(), request("visa", 6)); err != nil {
		t.Fatal(err)
	}
	if got, want := stateOf(t, s), (state{mugs: 6, balance: 7500, points: 75, orders: "map[placed:1]"}); got != want {
		t.Errorf("after the order %+v, want %+v", got, want)
	}
	if err := s.orders.Cancel(t.Context(), "o-1"); err != nil {
		t.Fatal(err)
	}
	if got, want := stateOf(t, s), (state{mugs: 12, orders: "map[cancelled:1]"}); got != want {
		t.Errorf("after its end %+v, want %+v", got, want)
	}
	if err := s.orders.Cancel(t.Context(), "o-1"); !errors.Is(err, order.ErrState) {
		t.Errorf("a second Cancel = %v, want ErrState", err)
	}
	// Of the three who hear of the refund one fails: that is over €25. The audit
	// before it and the mail after it are as if nothing had been.
	if diff := cmp.Diff([]string{"billing/refunded user.(*Users).apologise"}, *failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if mails, want := sent(t, s), (mail.Message{To: "cafe@mail.example", Subject: "Order o-1: €75.00 are back on your card"}); !slices.Contains(mails, want) {
		t.Errorf("no %v in %v", want, mails)
	}
}

func TestSmallRefundGivesPoints(t *testing.T) {
	s, failures := openShop(t)
	if err := s.orders.Place(t.Context(), request("visa", 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.orders.Cancel(t.Context(), "o-1"); err != nil {
		t.Fatal(err)
	}
	if got, want := stateOf(t, s), (state{mugs: 12, points: 5, orders: "map[cancelled:1]"}); got != want {
		t.Errorf("after its end %+v, want %+v", got, want)
	}
	if len(*failures) > 0 {
		t.Errorf("failures %q", *failures)
	}
}

// The order of wiring saves a charge, but nothing hangs on it.
func TestAbortedOrderIsRefundedWhereBillingComesFirst(t *testing.T) {
	bus := eventbus.New(nil)
	ledger := billing.Wire(bus, new(bank))
	warehouse := inventory.Wire(bus, map[string]int{"mug": 5})
	db, err := openDB(filepath.Join(t.TempDir(), "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	users, err := user.Wire(t.Context(), bus, db)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := order.Wire(t.Context(), bus, db, prices)
	if err != nil {
		t.Fatal(err)
	}
	refunds := 0
	billing.Refunded.On(bus, func(context.Context, billing.RefundedParams) error { refunds++; return nil })
	if err := users.SignUp(t.Context(), "cafe", "Cafe", "cafe@mail.example"); err != nil {
		t.Fatal(err)
	}
	if err := orders.Place(t.Context(), request("visa", 6)); err == nil {
		t.Fatal("Place = nil with too little in stock")
	}
	if ledger.Balance() != 0 || refunds != 1 || warehouse.Free("mug") != 5 {
		t.Errorf("balance %d, %d refunds, %d mugs; want 0, 1, 5", ledger.Balance(), refunds, warehouse.Free("mug"))
	}
}

func TestOrdersAtOnceNeverSellMoreThanThereIs(t *testing.T) {
	s, _ := openShop(t)
	var wg sync.WaitGroup
	var placed atomic.Int64
	for i := range 50 {
		wg.Go(func() {
			r := request("visa", 1)
			r.ID = fmt.Sprintf("o-%d", i/2) // each twice
			if s.orders.Place(context.Background(), r) == nil {
				placed.Add(1)
			}
		})
	}
	wg.Wait()
	if got, want := stateOf(t, s), (state{balance: 12 * 1250, points: 12 * 12, orders: "map[placed:12]"}); placed.Load() != 12 || got != want {
		t.Errorf("%d orders placed and %+v, want 12 and %+v", placed.Load(), got, want)
	}
}

func TestReportShowsDurationsAndWhereAnErrorArose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := eventbus.New(nil, trace)
		bus.Intercept(trace)
		bus.Handle(eventbus.Handler{Domain: "d", Action: "outer", Name: "outer"}, func(ctx context.Context, _ eventbus.Data) error {
			time.Sleep(2 * time.Millisecond)
			return fmt.Errorf("passed on: %w", bus.Call(ctx, eventbus.MustData("d", "inner", nil)))
		})
		bus.Handle(eventbus.Handler{Domain: "d", Action: "outer", Name: "second"}, func(ctx context.Context, _ eventbus.Data) error {
			_ = bus.Publish(ctx, eventbus.MustData("d", "inner", nil))
			return errors.New("other trouble")
		})
		bus.Handle(eventbus.Handler{Domain: "d", Action: "inner", Name: "inner"}, func(context.Context, eventbus.Data) error {
			time.Sleep(1500 * time.Nanosecond)
			return errors.New("no luck")
		})
		ctx, root := start(t.Context(), "command")
		root.end(bus.Publish(ctx, eventbus.MustData("d", "outer", nil)))

		var plain, coloured strings.Builder
		r := newReport(&plain, false)
		r.command(7, root)
		newReport(&coloured, true).command(7, root)
		want := strings.TrimPrefix(`
✗     line 7  command
✗   2003.0µs  └─ Publish d/outer
✗   2001.5µs     ├─ outer
✗      1.5µs     │  └─ Call d/inner
✗      1.5µs     │     └─ inner  err="no luck"
✗      1.5µs     └─ second  err="other trouble"
✗      1.5µs        └─ Publish d/inner
✗      1.5µs           └─ inner  err="no luck"

`, "\n")
		if diff := cmp.Diff(want, plain.String()); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if r.refused != 1 || r.events != 3 || r.handlers != 4 || r.failed != 3 || r.panicked != 0 {
			t.Errorf("counted %+v, want 1 refused, 3 events, 4 handlers, 3 failed", r)
		}
		const red, reset = "\x1b[91m", "\x1b[0m"
		if got := coloured.String(); !strings.HasPrefix(got, red+"✗"+reset+"     line 7  command\n") {
			t.Errorf("coloured report %q, want its marks red", got)
		}
	})
}

// openShop returns a shop with a user, and the handlers that fail there.
func openShop(t *testing.T) (*shop, *[]string) {
	t.Helper()
	var mu sync.Mutex
	failures := new([]string)
	bus := eventbus.New(nil, func(h eventbus.Handler, next eventbus.Func) eventbus.Func {
		return func(ctx context.Context, data eventbus.Data) error {
			err := next(ctx, data)
			if err != nil {
				failure := data.String() + " " + h.Name
				if _, ok := errors.AsType[*eventbus.PanicError](err); ok {
					failure += " panicked"
				}
				mu.Lock()
				*failures = append(*failures, failure)
				mu.Unlock()
			}
			return err
		}
	})
	s, err := open(t.Context(), bus, slog.New(slog.DiscardHandler), filepath.Join(t.TempDir(), "shop.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.users.SignUp(t.Context(), "cafe", "Cafe", "cafe@mail.example"); err != nil {
		t.Fatal(err)
	}
	return s, failures
}

// sent waits for the mails to go out and returns them.
func sent(t *testing.T, s *shop) []mail.Message {
	t.Helper()
	if _, err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	return slices.Clone(s.post.sent)
}

func request(card string, mugs int) order.Request {
	return order.Request{ID: "o-1", User: "cafe", Card: card, Items: []order.Item{{SKU: "mug", Quantity: mugs}}}
}

// state is what an order changes.
type state struct {
	mugs, balance, points int
	orders                string
}

func stateOf(t *testing.T, s *shop) state {
	t.Helper()
	byState, err := s.orders.CountByState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.users.Find(t.Context(), "cafe")
	if err != nil {
		t.Fatal(err)
	}
	return state{mugs: s.stock.Free("mug"), balance: s.ledger.Balance(), points: u.Points, orders: fmt.Sprint(byState)}
}
