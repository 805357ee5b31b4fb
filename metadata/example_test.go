package metadata_test

import (
	"context"
	"encoding/json"
	"fmt"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
)

// The request id reaches every handler, also those of events that a handler
// dispatches.
func Example() {
	bus := eventbus.New(nil)
	bus.Register("order", "placed", func(ctx context.Context, _ eventbus.Data) error {
		fmt.Println("billing", metadata.Get(ctx, "request_id"))
		return bus.Publish(ctx, eventbus.MustData("bill", "sent", nil))
	})
	bus.Register("bill", "sent", func(ctx context.Context, _ eventbus.Data) error {
		fmt.Println("mail", metadata.Get(ctx, "request_id"))
		return nil
	})

	ctx := metadata.With(context.Background(), "request_id", "r-17")
	if err := bus.Publish(ctx, eventbus.MustData("order", "placed", nil)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// billing r-17
	// mail r-17
}

// Across a process boundary the pairs travel as a map.
func ExampleWithAll() {
	ctx := metadata.With(context.Background(), "request_id", "r-17")
	ctx = metadata.With(ctx, "source", "shop")
	wire, err := json.Marshal(metadata.All(ctx))
	if err != nil {
		fmt.Println(err)
		return
	}

	var pairs map[string]string // on the other side
	if err := json.Unmarshal(wire, &pairs); err != nil {
		fmt.Println(err)
		return
	}
	ctx = metadata.WithAll(context.Background(), pairs)
	fmt.Println(metadata.Get(ctx, "request_id"), metadata.Get(ctx, "source"))
	// Output: r-17 shop
}
