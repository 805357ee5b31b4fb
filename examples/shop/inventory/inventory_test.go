package inventory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/inventory"
)

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type placing struct {
	Order string `json:"order"`
	Items []item `json:"items"`
}

func TestReserveTakesAllOrNothing(t *testing.T) {
	bus := eventbus.New(nil)
	stock := inventory.Wire(bus, map[string]int{"mug": 3, "pot": 3})
	tests := []struct {
		name     string
		items    []item
		want     *inventory.OutOfStockError
		mug, pot int // left
	}{
		{"too much of one", []item{{"mug", 1}, {"pot", 4}}, &inventory.OutOfStockError{SKU: "pot", Want: 4, Left: 3}, 3, 3},
		{"too much of one in two items", []item{{"mug", 2}, {"mug", 2}}, &inventory.OutOfStockError{SKU: "mug", Want: 4, Left: 3}, 3, 3},
		{"what isn't sold", []item{{"mug", 1}, {"jug", 1}}, &inventory.OutOfStockError{SKU: "jug", Want: 1}, 3, 3},
		{"all of one in two items", []item{{"mug", 2}, {"mug", 1}, {"pot", 1}}, nil, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := bus.Call(t.Context(), eventbus.MustData("order", "placing", placing{"o-1", tt.items}))
			got, _ := errors.AsType[*inventory.OutOfStockError](err)
			if diff := cmp.Diff(tt.want, got); diff != "" || (tt.want == nil) != (err == nil) {
				t.Errorf("reserve: %v (-want +got):\n%s", err, diff)
			}
			if stock.Free("mug") != tt.mug || stock.Free("pot") != tt.pot {
				t.Errorf("%d mugs and %d pots left, want %d and %d", stock.Free("mug"), stock.Free("pot"), tt.mug, tt.pot)
			}
		})
	}
}

func TestReleaseGivesBackWhatIsReserved(t *testing.T) {
	for _, tt := range []struct {
		name    string
		actions []string
		left    int
	}{
		{"nothing", []string{"aborted", "cancelled"}, 5},
		{"aborted", []string{"placing", "aborted"}, 5},
		{"cancelled", []string{"placing", "cancelled"}, 5},
		{"twice", []string{"placing", "aborted", "cancelled"}, 5},
		{"shipped", []string{"placing", "shipped", "cancelled"}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := eventbus.New(nil)
			stock := inventory.Wire(bus, map[string]int{"mug": 5})
			for _, action := range tt.actions {
				if err := bus.Call(t.Context(), eventbus.MustData("order", action, placing{"o-1", []item{{"mug", 2}}})); err != nil {
					t.Fatal(err)
				}
			}
			if got := stock.Free("mug"); got != tt.left {
				t.Errorf("%d mugs left, want %d", got, tt.left)
			}
		})
	}
}

func TestLowIsPublishedUnderTheMinimum(t *testing.T) {
	bus := eventbus.New(nil)
	inventory.Wire(bus, map[string]int{"mug": inventory.Minimum, "pot": inventory.Minimum - 1, "tray": 0})
	var got []inventory.LowParams
	inventory.Low.On(bus, func(_ context.Context, p inventory.LowParams) error {
		got = append(got, p)
		return errors.New("nobody reads this")
	})
	err := bus.Call(t.Context(), eventbus.MustData("order", "placed", placing{"o-1", []item{{"tray", 1}, {"pot", 1}, {"mug", 1}, {"pot", 1}}}))
	if err != nil {
		t.Errorf("check = %v, want nil: it has said so", err)
	}
	if diff := cmp.Diff([]inventory.LowParams{{SKU: "pot", Left: 2}, {SKU: "tray"}}, got); diff != "" {
		t.Errorf("inventory/low (-want +got):\n%s", diff)
	}
}
