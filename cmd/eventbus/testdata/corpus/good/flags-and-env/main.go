// A domain that a flag may change.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"bus.test/eventbus"
)

type config struct{ Domain string }

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	cfg := config{Domain: "user"}
	if err := json.NewDecoder(os.Stdin).Decode(&cfg); err != nil {
		log.Fatal(err)
	}
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("member", "created", h)
	_ = bus.Publish(context.Background(), eventbus.MustData(cfg.Domain, "created", nil))
}
