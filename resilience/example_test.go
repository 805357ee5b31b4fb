package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/resilience"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// Retry with backoff: the mail server answers at the third attempt. An address that
// can't exist isn't tried twice.
func Example() {
	bus := eventbus.New(nil)
	retry := resilience.With(func(eventbus.Handler) []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			retrypolicy.NewBuilder[any]().WithBackoff(time.Millisecond, time.Second).WithJitterFactor(.2).
				OnRetry(func(e failsafe.ExecutionEvent[any]) {
					_, data, _ := resilience.From(e.Context())
					fmt.Printf("retry %d of %v: %v\n", e.Retries(), data, e.LastError())
				}).Build(),
		}
	})

	attempts := 0
	eventbus.On(bus, "user", "created", func(_ context.Context, address string) error {
		if address == "" {
			return eventbus.Permanent(errors.New("no address"))
		}
		if attempts++; attempts < 3 {
			return errors.New("server is busy")
		}
		fmt.Println("sent to", address)
		return nil
	}, retry)

	fmt.Println(bus.Call(context.Background(), eventbus.MustData("user", "created", "ada@example.com")))
	fmt.Println(bus.Call(context.Background(), eventbus.MustData("user", "created", "")))
	// Output:
	// retry 1 of user/created: server is busy
	// retry 2 of user/created: server is busy
	// sent to ada@example.com
	// <nil>
	// user/created: handler resilience_test.Example.func2: no address
}

// A circuit breaker: after two failures the handler is left alone for a minute. Every
// handler of the bus has a breaker of its own.
func ExampleWith() {
	bus := eventbus.New(nil, resilience.With(func(h eventbus.Handler) []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			circuitbreaker.NewBuilder[any]().WithFailureThreshold(2).WithDelay(time.Minute).
				OnOpen(func(circuitbreaker.StateChangedEvent) { fmt.Println("leaving alone:", h.Name) }).Build(),
		}
	}))
	bus.Register("order", "placed", func(context.Context, eventbus.Data) error {
		return errors.New("warehouse is down")
	})
	for range 3 {
		err := bus.Call(context.Background(), eventbus.MustData("order", "placed", nil))
		fmt.Println(errors.Is(err, circuitbreaker.ErrOpen), err)
	}
	// Output:
	// false order/placed: handler resilience_test.ExampleWith.func2: warehouse is down
	// leaving alone: resilience_test.ExampleWith.func2
	// false order/placed: handler resilience_test.ExampleWith.func2: warehouse is down
	// true order/placed: handler resilience_test.ExampleWith.func2: circuit breaker open
}
