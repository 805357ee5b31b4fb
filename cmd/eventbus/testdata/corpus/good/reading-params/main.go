// Handlers that only read the params, in many ways.
package main

import (
	"bytes"
	"context"
	"encoding/json"

	"bus.test/eventbus"
)

type sink struct{ last string }

func (s *sink) Write(p []byte) (int, error) { s.last = string(p); return len(p), nil }

func on(ctx context.Context, d eventbus.Data) error {
	s := &sink{}
	if _, err := s.Write(d.RawParams); err != nil {
		return err
	}
	head := d.RawParams[:1]
	line := append(head[:1:1], '\n')
	line[0] = ' '
	if bytes.HasPrefix(d.RawParams, []byte("{")) {
		return json.NewDecoder(bytes.NewReader(d.RawParams)).Decode(new(any))
	}
	sum := 0
	for _, b := range d.RawParams {
		sum += int(b)
	}
	counts := make([]int, 256)
	counts[d.RawParams[0]]++
	text := []byte(string(d.RawParams))
	text[0] = 'x'
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", on)
	_ = bus.Publish(context.Background(), eventbus.MustData("a", "b", "x"))
}
