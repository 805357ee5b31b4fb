package user

import (
	"context"

	"bus.test/eventbus"
	"testing"
)

func TestNobodyCounts(t *testing.T) {
	bus := eventbus.New(nil)
	bus.Register("user", "tested", onPlaced)
	bus.Publish(context.Background(), eventbus.MustData("user", "craeted", nil))
}
