package order

import (
	"context"
	"fmt"
	"sync"
)

// store keeps the orders, and who may order, in memory. The zero store is empty.
type store struct {
	mu        sync.Mutex
	customers map[string]bool
	orders    map[string]Order
}

func (s *store) addCustomer(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.customers == nil {
		s.customers = make(map[string]bool)
	}
	s.customers[id] = true
	return nil
}

func (s *store) insert(_ context.Context, o Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.customers[o.User] {
		return fmt.Errorf("%s: %w", o.User, ErrCustomer)
	}
	if _, ok := s.orders[o.ID]; ok {
		return ErrExists
	}
	if s.orders == nil {
		s.orders = make(map[string]Order)
	}
	s.orders[o.ID] = o
	return nil
}

func (s *store) find(_ context.Context, id string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	if !ok {
		return Order{}, ErrUnknown
	}
	return o, nil
}

// move brings an order from one state to the next and returns it.
func (s *store) move(_ context.Context, id string, from, to State) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	if !ok {
		return Order{}, ErrUnknown
	}
	if o.State != from {
		return Order{}, fmt.Errorf("%w: %s, not %s", ErrState, o.State, from)
	}
	o.State = to
	s.orders[id] = o
	return o, nil
}

func (s *store) remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.orders, id)
	return nil
}

func (s *store) countByState(context.Context) (map[State]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := make(map[State]int)
	for _, o := range s.orders {
		n[o.State]++
	}
	return n, nil
}
