package order

import "example.com/eventbus"

// What becomes of an order. Placing is called, the others are published.
var (
	// Placing asks whether an order may stand. A handler takes what it must for
	// that, such as stock or money, or fails, and that ends the order.
	Placing = eventbus.Event[PlacingParams]{Domain: "order", Action: "placing"}

	// Aborted follows a Placing that failed. Whoever took something for the order
	// gives it back; whoever didn't does nothing.
	Aborted = eventbus.Event[AbortedParams]{Domain: "order", Action: "aborted"}

	Placed    = eventbus.Event[PlacedParams]{Domain: "order", Action: "placed"}
	Shipped   = eventbus.Event[ShippedParams]{Domain: "order", Action: "shipped"}
	Cancelled = eventbus.Event[CancelledParams]{Domain: "order", Action: "cancelled"}
)

// PlacingParams are the params of Placing.
type PlacingParams struct {
	Order string `json:"order"`
	User  string `json:"user"`
	Card  string `json:"card"`
	Items []Item `json:"items"`
	Total int    `json:"total"` // in cents
}

// AbortedParams are the params of Aborted.
type AbortedParams struct {
	Order string `json:"order"`
}

// PlacedParams are the params of Placed.
type PlacedParams struct {
	Order string `json:"order"`
	User  string `json:"user"`
	Items []Item `json:"items"`
	Total int    `json:"total"` // in cents
}

// ShippedParams are the params of Shipped.
type ShippedParams struct {
	Order string `json:"order"`
	User  string `json:"user"`
}

// CancelledParams are the params of Cancelled.
type CancelledParams struct {
	Order string `json:"order"`
	User  string `json:"user"`
	Total int    `json:"total"` // in cents
}
