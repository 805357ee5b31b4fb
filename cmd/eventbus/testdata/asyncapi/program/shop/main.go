// Command shop prints the events that it makes, one a line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"m.test/eventbus"
	"m.test/mail"
	"m.test/order"
)

func main() {
	bus, ctx := eventbus.New(nil), context.Background()
	mail.Wire(bus)
	show := func(d eventbus.Data, err error) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s/%s %s\n", d.Domain, d.Action, d.RawParams)
	}
	show(order.Place(ctx, bus, order.Order{}))
	street, yes := "Main Street 1", true
	item := order.Item{SKU: "a", Price: 1}
	show(order.Place(ctx, bus, order.Order{
		Stamp: order.Stamp{At: time.Unix(1, 0).UTC()}, Shipping: &order.Shipping{Street: &street},
		Items: []*order.Item{&item, nil}, Best: &item, Worst: &item, Note: &street,
		Left: -128, Right: 65535, Weight: 1.5, Rate: 1e300, Count: 1, Big: -1, Maybe: &yes,
		Photo: []byte("x"), Raw: json.RawMessage(`[1]`), Sum: big.NewInt(1), Any: 1, Number: "1.5",
		Prices: map[string]order.Money{"a": 1}, State: "new",
		Tree: order.Tree{Children: []*order.Tree{{Parent: &order.Tree{}}, nil}},
		Page: order.Page[order.Item]{Of: []order.Item{item}}, Optional: []string{"a"},
	}))
	show(order.Place(ctx, bus, order.Order{Shipping: &order.Shipping{}}))
	show(order.Cancel(ctx, bus, "1"))
	show(eventbus.NewData("shop", "closed", nil))
}
