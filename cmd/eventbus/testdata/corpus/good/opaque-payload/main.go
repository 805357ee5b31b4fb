// Types that encode themselves, raw messages, any.
package main

import (
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type Money struct{ cents int64 }

func (m Money) MarshalJSON() ([]byte, error)  { return json.Marshal(m.cents) }
func (m *Money) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.cents) }

type Made struct {
	Total Money
	Body  json.RawMessage
	Any   any
}

type Read struct {
	Total string
	Body  struct{ X int }
	Any   []string
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "order", "priced", func(ctx context.Context, r Read) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("order", "priced", Made{}))
}
