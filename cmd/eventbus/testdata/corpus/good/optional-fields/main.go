// Pointers, omitempty, and kinds that fit though they differ in Go.
package main

import (
	"context"
	"time"

	"bus.test/eventbus"
)

type Address struct {
	Street string  `json:"street"`
	Zip    *string `json:"zip,omitempty"`
}

type Made struct {
	Name   *string           `json:"name,omitempty"`
	Home   *Address          `json:"home"`
	Tags   [2]string         `json:"tags"`
	Labels map[string]string `json:"labels"`
	At     time.Time         `json:"at"`
	Lines  []Address         `json:"lines"`
}

type Read struct {
	Name   string                  `json:"name"`
	Home   struct{ Street string } `json:"home"`
	Tags   []string                `json:"tags"`
	Labels map[string]any          `json:"labels"`
	At     string                  `json:"at"`
	Lines  []map[string]string     `json:"lines"`
	skip   int
	Never  int `json:"-"`
}

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "moved", func(ctx context.Context, r Read) error { _ = r.skip; return nil })
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "moved", Made{}))
}
