package billing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/billing"
)

var errClosed = errors.New("the bank is closed")

// bank fails while it is closed, and remembers what it refunded.
type bank struct {
	closed   bool
	refunded []string
}

func (b *bank) Charge(_ context.Context, card string, _ int) (string, error) {
	if b.closed {
		return "", errClosed
	}
	return "receipt of " + card, nil
}

func (b *bank) Refund(_ context.Context, receipt string) error {
	if b.closed {
		return errClosed
	}
	b.refunded = append(b.refunded, receipt)
	return nil
}

func TestRefundThatFailsCanBeTriedAgain(t *testing.T) {
	bus, bank := eventbus.New(nil), new(bank)
	ledger := billing.Wire(bus, bank)
	var got []billing.RefundedParams
	billing.Refunded.On(bus, func(_ context.Context, p billing.RefundedParams) error { got = append(got, p); return nil })
	order := map[string]any{"order": "o-1", "user": "cafe", "card": "visa", "total": 700}

	for _, step := range []struct {
		action  string
		closed  bool
		want    error
		balance int
	}{
		{"placing", true, errClosed, 0},
		{"aborted", false, nil, 0},
		{"placing", false, nil, 700},
		{"cancelled", true, errClosed, 700},
		{"cancelled", false, nil, 0},
		{"cancelled", false, nil, 0},
	} {
		bank.closed = step.closed
		if err := bus.Call(t.Context(), eventbus.MustData("order", step.action, order)); !errors.Is(err, step.want) {
			t.Errorf("order/%s: %v, want %v", step.action, err, step.want)
		}
		if ledger.Balance() != step.balance {
			t.Errorf("balance after order/%s: %d, want %d", step.action, ledger.Balance(), step.balance)
		}
	}
	if diff := cmp.Diff([]string{"receipt of visa"}, bank.refunded); diff != "" {
		t.Errorf("refunds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]billing.RefundedParams{{Order: "o-1", User: "cafe", Amount: 700}}, got); diff != "" {
		t.Errorf("billing/refunded (-want +got):\n%s", diff)
	}
}
