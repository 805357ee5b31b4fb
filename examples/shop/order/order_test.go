package order_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/order"
)

var (
	mugs    = order.Request{ID: "o-1", User: "cafe", Card: "visa", Items: []order.Item{{SKU: "mug", Quantity: 2}}}
	errBusy = errors.New("too busy")
)

// open returns Orders of which "cafe" is a customer. The package is tested alone:
// all that it knows of the others are events.
func open(t *testing.T, bus *eventbus.Bus) *order.Orders {
	t.Helper()
	orders := order.Wire(bus, map[string]int{"mug": 1250})
	if err := bus.Call(t.Context(), eventbus.MustData("user", "created", map[string]string{"user": "cafe"})); err != nil {
		t.Fatal(err)
	}
	return orders
}

func TestOrderStandsIfAllAgree(t *testing.T) {
	bus := eventbus.New(nil)
	orders := open(t, bus)
	var asked order.PlacingParams
	var placed order.PlacedParams
	order.Placing.On(bus, func(ctx context.Context, p order.PlacingParams) error {
		asked = p
		if o, err := orders.Find(ctx, "o-1"); err != nil || o.State != order.StatePending {
			t.Errorf("while handlers are asked it is %+v, %v; want it pending", o, err)
		}
		return nil
	})
	order.Placed.On(bus, func(_ context.Context, p order.PlacedParams) error { placed = p; return errBusy })
	if err := orders.Place(t.Context(), mugs); err != nil {
		t.Errorf("Place = %v, want nil: what follows an order can't undo it", err)
	}
	if diff := cmp.Diff(order.PlacingParams{Order: "o-1", User: "cafe", Card: "visa", Items: mugs.Items, Total: 2500}, asked); diff != "" {
		t.Errorf("order/placing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(order.PlacedParams{Order: "o-1", User: "cafe", Items: mugs.Items, Total: 2500}, placed); diff != "" {
		t.Errorf("order/placed (-want +got):\n%s", diff)
	}
	o, err := orders.Find(t.Context(), "o-1")
	if diff := cmp.Diff(order.Order{ID: "o-1", User: "cafe", Items: mugs.Items, Total: 2500, State: order.StatePlaced}, o); diff != "" || err != nil {
		t.Errorf("Find: %v (-want +got):\n%s", err, diff)
	}
}

func TestOrderThatIsRefusedIsUndone(t *testing.T) {
	bus := eventbus.New(nil)
	orders := open(t, bus)
	errUndo := errors.New("the undo fails")
	ctx, hangUp := context.WithCancel(t.Context())
	order.Placing.On(bus, func(context.Context, order.PlacingParams) error { hangUp(); return errBusy })
	undone := 0
	order.Aborted.On(bus, func(context.Context, order.AbortedParams) error { return errUndo })
	order.Aborted.On(bus, func(ctx context.Context, p order.AbortedParams) error {
		undone++
		if ctx.Err() != nil || p.Order != "o-1" {
			t.Errorf("undo of %q with a context that is done: %v", p.Order, ctx.Err())
		}
		return nil
	})
	order.Placed.On(bus, func(context.Context, order.PlacedParams) error {
		t.Error("order/placed of an order that was refused")
		return nil
	})
	if err := orders.Place(ctx, mugs); !errors.Is(err, errBusy) || !errors.Is(err, errUndo) {
		t.Errorf("Place = %v, want both what refused it and what failed to undo", err)
	}
	if undone != 1 {
		t.Errorf("undone %d times, want once, also after another undo failed", undone)
	}
	if _, err := orders.Find(t.Context(), "o-1"); !errors.Is(err, order.ErrUnknown) {
		t.Errorf("Find = %v, want ErrUnknown", err)
	}
}

func TestOrderThatIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	bus := eventbus.New(nil)
	orders := open(t, bus)
	if err := orders.Place(t.Context(), mugs); err != nil {
		t.Fatal(err)
	}
	bus.Register("order", eventbus.Any, func(_ context.Context, d eventbus.Data) error {
		t.Errorf("%v was dispatched", d)
		return nil
	})
	tests := []struct {
		name string
		do   error
		want error
	}{
		{"ID taken", orders.Place(t.Context(), mugs), order.ErrExists},
		{"no customer", orders.Place(t.Context(), order.Request{ID: "o-2", User: "ghost", Items: mugs.Items}), order.ErrCustomer},
		{"no product", orders.Place(t.Context(), order.Request{ID: "o-2", User: "cafe", Items: []order.Item{{SKU: "jug", Quantity: 1}}}), order.ErrProduct},
		{"ship no order", orders.Ship(t.Context(), "o-2"), order.ErrUnknown},
		{"cancel no order", orders.Cancel(t.Context(), "o-2"), order.ErrUnknown},
	}
	for _, tt := range tests {
		if !errors.Is(tt.do, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.do, tt.want)
		}
	}
}

func TestShippedOrderIsNotCancelled(t *testing.T) {
	bus := eventbus.New(nil)
	orders := open(t, bus)
	if err := orders.Place(t.Context(), mugs); err != nil {
		t.Fatal(err)
	}
	if err := orders.Ship(t.Context(), "o-1"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Ship again": orders.Ship(t.Context(), "o-1"), "Cancel": orders.Cancel(t.Context(), "o-1")} {
		if !errors.Is(err, order.ErrState) {
			t.Errorf("%s = %v, want ErrState", what, err)
		}
	}
}
