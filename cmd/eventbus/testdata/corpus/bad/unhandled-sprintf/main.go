// A name put together from constants.
package main

import (
	"context"
	"fmt"

	"bus.test/eventbus"
)

const entity = "invoice"

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("billing", "invoice_sent", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("billing", fmt.Sprintf("%s_snet", entity), nil)) // want: error unhandled
	_ = bus.Publish(context.Background(), eventbus.MustData("billing", entity+"_sent", nil))
}
