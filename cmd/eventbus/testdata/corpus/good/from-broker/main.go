// Events that come from outside.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	"bus.test/eventbus"
)

type message struct {
	Topic string
	Body  []byte
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("order", "shipped", h)
	var m message
	if err := json.NewDecoder(os.Stdin).Decode(&m); err != nil {
		log.Fatal(err)
	}
	domain, action, _ := strings.Cut(m.Topic, ".")
	if err := bus.Call(context.Background(), eventbus.Data{Domain: domain, Action: action, RawParams: m.Body}); err != nil {
		log.Fatal(err)
	}
}
