// Package billing charges the cards of those who order, and pays back.
package billing

import (
	"context"
	"fmt"
	"sync"

	"example.com/eventbus"
)

// Refunded is published when a customer has the money back.
var Refunded = eventbus.Event[RefundedParams]{Domain: "billing", Action: "refunded"}

// RefundedParams are the params of Refunded.
type RefundedParams struct {
	Order  string `json:"order"`
	User   string `json:"user"`
	Amount int    `json:"amount"` // in cents
}

// Bank moves money. Amounts are in cents.
type Bank interface {
	// Charge takes amount from a card and returns what Refund needs to undo that.
	Charge(ctx context.Context, card string, amount int) (receipt string, err error)
	Refund(ctx context.Context, receipt string) error
}

// Ledger is what was paid for which order. It is safe for concurrent use.
type Ledger struct {
	bus      *eventbus.Bus
	bank     Bank
	mu       sync.Mutex
	payments map[string]payment // by order
}

type payment struct {
	user, receipt string
	amount        int
}

// Wire returns a Ledger that charges and refunds through bank as bus reports of
// orders.
func Wire(bus *eventbus.Bus, bank Bank) *Ledger {
	l := &Ledger{bus: bus, bank: bank, payments: make(map[string]payment)}
	eventbus.On(bus, "order", "placing", l.charge)
	eventbus.On(bus, "order", "aborted", l.refund)
	eventbus.On(bus, "order", "cancelled", l.refund)
	return l
}

// Balance returns what was paid and not refunded, in cents.
func (l *Ledger) Balance() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := 0
	for _, p := range l.payments {
		sum += p.amount
	}
	return sum
}

type bill struct {
	Order string `json:"order"`
	User  string `json:"user"`
	Card  string `json:"card"`
	Total int    `json:"total"` // in cents
}

func (l *Ledger) charge(ctx context.Context, b bill) error {
	receipt, err := l.bank.Charge(ctx, b.Card, b.Total)
	if err != nil {
		return fmt.Errorf("billing: charge for %s: %w", b.Order, err)
	}
	l.put(b.Order, payment{user: b.User, receipt: receipt, amount: b.Total})
	return nil
}

type orderID struct {
	Order string `json:"order"`
}

// refund pays back what was paid for an order, if anything was.
func (l *Ledger) refund(ctx context.Context, o orderID) error {
	p, ok := l.take(o.Order)
	if !ok {
		return nil
	}
	if err := l.bank.Refund(ctx, p.receipt); err != nil {
		l.put(o.Order, p)
		return fmt.Errorf("billing: refund for %s: %w", o.Order, err)
	}
	_ = l.bus.Publish(ctx, Refunded.Must(RefundedParams{Order: o.Order, User: p.user, Amount: p.amount})) // no reaction undoes a refund
	return nil
}

func (l *Ledger) put(order string, p payment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.payments[order] = p
}

// take removes a payment, so that two refunds at once can't both find it.
func (l *Ledger) take(order string) (payment, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.payments[order]
	delete(l.payments, order)
	return p, ok
}
