//go:build nometrics

package main

import (
	"bus.test/eventbus"
)

func wire(bus *eventbus.Bus) { bus.Register("metric", "cuonted", h) }
