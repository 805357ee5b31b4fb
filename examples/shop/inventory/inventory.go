// Package inventory knows what lies in the warehouse and what is reserved.
package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"example.com/eventbus"
)

// Low is published when an order leaves fewer than Minimum of a product.
var Low = eventbus.Event[LowParams]{Domain: "inventory", Action: "low"}

// LowParams are the params of Low.
type LowParams struct {
	SKU  string `json:"sku"`
	Left int    `json:"left"`
}

// Minimum is how much of a product there should always be.
const Minimum = 3

// OutOfStockError says that there is less of a product than was ordered.
type OutOfStockError struct {
	SKU        string
	Want, Left int
}

func (e *OutOfStockError) Error() string {
	return fmt.Sprintf("inventory: %s is out of stock: %d wanted, %d left", e.SKU, e.Want, e.Left)
}

// Stock is what there is of each product. It is safe for concurrent use.
type Stock struct {
	bus      *eventbus.Bus
	mu       sync.Mutex
	free     map[string]int            // by SKU
	reserved map[string]map[string]int // by order and SKU
}

// Wire returns a Stock that begins with so much of each SKU, and reserves and
// releases it as bus reports of orders.
func Wire(bus *eventbus.Bus, begin map[string]int) *Stock {
	s := &Stock{bus: bus, free: maps.Clone(begin), reserved: make(map[string]map[string]int)}
	eventbus.On(bus, "order", "placing", s.reserve)
	eventbus.On(bus, "order", "aborted", s.release)
	eventbus.On(bus, "order", "cancelled", s.release)
	eventbus.On(bus, "order", "placed", s.check)
	eventbus.On(bus, "order", "shipped", s.ship)
	return s
}

// Free returns how much of a product can still be ordered.
func (s *Stock) Free(sku string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free[sku]
}

type orderItems struct {
	Order string `json:"order"`
	Items []struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
	} `json:"items"`
}

// bySKU adds up the items that are of the same product.
func (o orderItems) bySKU() map[string]int {
	sum := make(map[string]int)
	for _, it := range o.Items {
		sum[it.SKU] += it.Quantity
	}
	return sum
}

type orderID struct {
	Order string `json:"order"`
}

// reserve takes all that an order needs, or nothing.
func (s *Stock) reserve(_ context.Context, o orderItems) error {
	need := o.bySKU()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sku := range slices.Sorted(maps.Keys(need)) {
		if need[sku] > s.free[sku] {
			return &OutOfStockError{SKU: sku, Want: need[sku], Left: s.free[sku]}
		}
	}
	for sku, n := range need {
		s.free[sku] -= n
	}
	s.reserved[o.Order] = need
	return nil
}

// release gives back what is reserved for an order, if anything is.
func (s *Stock) release(_ context.Context, o orderID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sku, n := range s.reserved[o.Order] {
		s.free[sku] += n
	}
	delete(s.reserved, o.Order)
	return nil
}

func (s *Stock) ship(_ context.Context, o orderID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reserved, o.Order)
	return nil
}

func (s *Stock) check(ctx context.Context, o orderItems) error {
	for _, sku := range slices.Sorted(maps.Keys(o.bySKU())) {
		if left := s.Free(sku); left < Minimum {
			_ = s.bus.Publish(ctx, Low.Must(LowParams{SKU: sku, Left: left})) // low it is, whoever could be told
		}
	}
	return nil
}
