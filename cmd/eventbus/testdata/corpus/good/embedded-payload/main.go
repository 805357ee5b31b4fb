// Embedded structs, case folding and subsets.
package main

import (
	"context"
	"time"

	"bus.test/eventbus"
)

type Meta struct {
	ID   string
	Time time.Time
}

type Made struct {
	*Meta
	UserName string
	Extra    map[string]int `json:"extra,omitempty"`
}

type Read struct {
	Id       string
	Username string `json:"username"`
	Time     time.Time
	Extra    map[string]float64 `json:"extra"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", func(ctx context.Context, r Read) error { return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", &Made{}))
}
