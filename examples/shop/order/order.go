// Package order takes orders, ships them and cancels them.
//
// It doesn't know who holds the stock, moves the money or writes the mails: it
// says what happens to an order, and they listen.
package order

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventbus"
)

// What is wrong with an order that is refused.
var (
	ErrExists   = errors.New("there is such an order already")
	ErrUnknown  = errors.New("there is no such order")
	ErrCustomer = errors.New("there is no such customer")
	ErrProduct  = errors.New("there is no such product")
	ErrState    = errors.New("the order is in the wrong state")
)

// State is how far an order has come.
type State string

// The states of an order. An order that is refused has none: it is forgotten.
const (
	StatePending   State = "pending" // while the handlers of Placing run
	StatePlaced    State = "placed"
	StateShipped   State = "shipped"
	StateCancelled State = "cancelled"
)

// Request is what a customer asks for.
type Request struct {
	ID, User, Card string
	Items          []Item
}

// Item is some of one product.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Order is an order that was taken.
type Order struct {
	ID, User string
	Items    []Item
	Total    int // in cents
	State    State
}

// Orders is all orders. It is safe for concurrent use.
type Orders struct {
	bus    *eventbus.Bus
	prices map[string]int
	store  store
}

// Wire returns Orders for products at these prices, in cents by SKU, that tell
// bus what happens to an order. It learns from bus who may order.
func Wire(bus *eventbus.Bus, prices map[string]int) *Orders {
	o := &Orders{bus: bus, prices: prices}
	eventbus.On(bus, "user", "created", o.addCustomer)
	return o
}

// Place takes an order: it stands if every handler of Placing agrees. If one
// fails, the others give back what they took for it, and Place returns an error
// that wraps theirs.
func (o *Orders) Place(ctx context.Context, r Request) error {
	if err := o.place(ctx, r); err != nil {
		return fmt.Errorf("order: place %s: %w", r.ID, err)
	}
	return nil
}

func (o *Orders) place(ctx context.Context, r Request) error {
	total, err := o.total(r.Items)
	if err != nil {
		return err
	}
	// Pending, the order has its ID to itself from here on.
	if err := o.store.insert(ctx, Order{ID: r.ID, User: r.User, Items: r.Items, Total: total, State: StatePending}); err != nil {
		return err
	}
	err = o.bus.Call(ctx, Placing.Must(PlacingParams{Order: r.ID, User: r.User, Card: r.Card, Items: r.Items, Total: total}))
	if err == nil {
		_, err = o.store.move(ctx, r.ID, StatePending, StatePlaced)
	}
	if err != nil {
		return errors.Join(err, o.abort(context.WithoutCancel(ctx), r.ID)) // undone also when the customer has gone
	}
	_ = o.bus.Publish(ctx, Placed.Must(PlacedParams{Order: r.ID, User: r.User, Items: r.Items, Total: total})) // no reaction undoes an order
	return nil
}

// abort frees the ID last, so that a second try can't meet the rest of the first.
func (o *Orders) abort(ctx context.Context, id string) error {
	err := o.bus.Publish(ctx, Aborted.Must(AbortedParams{Order: id}))
	return errors.Join(err, o.store.remove(ctx, id))
}

// Ship sends an order off.
func (o *Orders) Ship(ctx context.Context, id string) error {
	order, err := o.store.move(ctx, id, StatePlaced, StateShipped)
	if err != nil {
		return fmt.Errorf("order: ship %s: %w", id, err)
	}
	_ = o.bus.Publish(ctx, Shipped.Must(ShippedParams{Order: id, User: order.User}))
	return nil
}

// Cancel takes an order back that isn't shipped.
func (o *Orders) Cancel(ctx context.Context, id string) error {
	order, err := o.store.move(ctx, id, StatePlaced, StateCancelled)
	if err != nil {
		return fmt.Errorf("order: cancel %s: %w", id, err)
	}
	_ = o.bus.Publish(ctx, Cancelled.Must(CancelledParams{Order: id, User: order.User, Total: order.Total}))
	return nil
}

// Find returns an order, or ErrUnknown.
func (o *Orders) Find(ctx context.Context, id string) (Order, error) { return o.store.find(ctx, id) }

// CountByState returns how many orders are in each state.
func (o *Orders) CountByState(ctx context.Context) (map[State]int, error) {
	return o.store.countByState(ctx)
}

func (o *Orders) total(items []Item) (cents int, err error) {
	for _, it := range items {
		price, ok := o.prices[it.SKU]
		if !ok {
			return 0, fmt.Errorf("%s: %w", it.SKU, ErrProduct)
		}
		cents += price * it.Quantity
	}
	return cents, nil
}

type customer struct {
	User string `json:"user"`
}

func (o *Orders) addCustomer(ctx context.Context, c customer) error {
	return o.store.addCustomer(ctx, c.User)
}
