// Package order sells.
package order

import (
	"context"
	"encoding/json"
	"math/big"
	"time"

	"m.test/eventbus"
)

// Placed is sent when a customer has paid.
var Placed = eventbus.Event[Order]{Domain: "order", Action: "placed"}

// Order is what somebody bought.
//
// It has at least one item.
type Order struct {
	Stamp
	*Shipping
	ID       string `json:"id"`    // as printed on the invoice
	Total    int64  `json:"total"` // in cents
	Items    []*Item
	First    Item          `json:"first"`
	Best     *Item         `json:"best"`
	Worst    *Item         `json:"worst,omitempty"`
	Note     *string       `json:"note"`
	Left     int8          `json:"left"`
	Right    uint16        `json:"right"`
	Weight   float32       `json:"weight"`
	Rate     float64       `json:"rate"`
	Count    uint          `json:"count"`
	Big      int64         `json:"big,string"`
	Maybe    *bool         `json:"maybe,string"`
	Delay    time.Duration `json:"delay"`
	Photo    []byte        `json:"photo"`
	Raw      json.RawMessage
	Sum      *big.Int `json:"sum"`
	Any      any      `json:"any"`
	Number   json.Number
	Prices   map[string]Money `json:"prices"`
	Codes    [2]int           `json:"codes"`
	State    State            `json:"state"`
	Tree     Tree             `json:"tree"`
	Page     Page[Item]       `json:"page"`
	Tagged   struct{ X, Y int }
	Skipped  string `json:"-"`
	hidden   string
	Optional []string `json:"optional,omitempty"`
}

// Stamp tells when.
type Stamp struct {
	// At is the time in the shop's zone.
	At time.Time `json:"at"`
}

// Shipping tells where to.
type Shipping struct {
	Street *string `json:"street"`
}

// Item is one line of an order.
type Item struct {
	SKU   string `json:"sku"`
	Price Money  `json:"price"`
}

// Money is in cents.
type Money int64

// State is how far an order is.
type State string

// Tree holds itself.
type Tree struct {
	Name     string  `json:"name"`
	Parent   *Tree   `json:"parent,omitempty"`
	Children []*Tree `json:"children"`
}

// Page is a part of a list.
type Page[T any] struct {
	Of   []T `json:"of"`
	Next int `json:"next"`
}

// Place sells.
func Place(ctx context.Context, bus *eventbus.Bus, o Order) (eventbus.Data, error) {
	d, err := Placed.New(o)
	if err != nil {
		return d, err
	}
	return d, bus.Publish(ctx, d)
}

// Cancel gives the money back.
func Cancel(ctx context.Context, bus *eventbus.Bus, id string) (eventbus.Data, error) {
	d, err := eventbus.NewData("order", "cancelled", map[string]any{"id": id, "when": time.Now()})
	if err != nil {
		return d, err
	}
	return d, bus.Publish(ctx, d)
}
