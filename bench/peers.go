package main

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/asaskevich/EventBus"
	"github.com/cskr/pubsub/v2"
	tailscale "tailscale.com/util/eventbus"

	"example.com/eventbus"
)

// inTurn is the dispatcher of a bus that dispatches with dispatch(i).
func inTurn(events []event, dispatch func(i int)) func(n int) {
	next := 0
	return func(n int) {
		for range n {
			dispatch(next)
			next = (next + 1) % len(events)
		}
	}
}

// asaskevich runs its handlers on the caller's goroutine, as we do, and calls
// them by reflection. It drops what they return.
type asaskevich struct{ EventBus.Bus }

func newAsaskevich() bus { return asaskevich{EventBus.New()} }

func (b asaskevich) on(e event, fn eventbus.Func) (off func()) {
	check(b.Subscribe(e.topic, fn))
	return func() { check(b.Unsubscribe(e.topic, fn)) }
}

func (b asaskevich) dispatcher(events []event) func(n int) {
	return inTurn(events, func(i int) { b.Publish(events[i].topic, context.Background(), events[i].Data) })
}

func (asaskevich) close() {}

// gochannel has a goroutine for each subscriber. Its publishers wait until all
// of them have acknowledged the message.
type goChannel struct {
	*gochannel.GoChannel
	consumers *sync.WaitGroup
}

func newWatermill() bus {
	return goChannel{
		gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true, PreserveContext: true}, nil),
		new(sync.WaitGroup),
	}
}

func (b goChannel) on(e event, fn eventbus.Func) (off func()) {
	ctx, cancel := context.WithCancel(context.Background())
	messages, err := b.Subscribe(ctx, e.topic)
	check(err)
	done := make(chan struct{})
	b.consumers.Go(func() {
		defer close(done)
		for m := range messages {
			check(fn(m.Context(), eventbus.Data{Domain: e.Domain, Action: e.Action, RawParams: m.Payload}))
			m.Ack()
		}
		cancel()
	})
	return func() { cancel(); <-done }
}

func (b goChannel) dispatcher(events []event) func(n int) {
	messages := make([]*message.Message, len(events))
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), nil)
	}
	return inTurn(events, func(i int) {
		messages[i].Payload = events[i].RawParams // Publish sends copies
		check(b.Publish(events[i].topic, messages[i]))
	})
}

func (b goChannel) close() {
	check(b.Close())
	b.consumers.Wait()
}

// delivery is a message to goroutines on a peer that doesn't wait for them
// itself: they say when they are done.
type delivery struct {
	context.Context
	eventbus.Data
	done sync.WaitGroup
}

// cskr hands messages to the subscribers' channels, from one goroutine.
type cskr struct {
	*pubsub.PubSub[string, *delivery]
	consumers   *sync.WaitGroup
	mu          *sync.Mutex
	subscribers map[string]int // by topic
}

func newCskr() bus {
	return cskr{pubsub.New[string, *delivery](1), new(sync.WaitGroup), new(sync.Mutex), map[string]int{}}
}

func (b cskr) on(e event, fn eventbus.Func) (off func()) {
	deliveries := b.Sub(e.topic)
	b.count(e, 1)
	done := make(chan struct{})
	b.consumers.Go(func() {
		defer close(done)
		for d := range deliveries {
			check(fn(d.Context, d.Data))
			d.done.Done()
		}
	})
	return func() {
		b.Unsub(deliveries, e.topic)
		b.count(e, -1)
		<-done
	}
}

func (b cskr) count(e event, more int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers[e.topic] += more
	return b.subscribers[e.topic]
}

func (b cskr) dispatcher(events []event) func(n int) {
	subscribers := make([]int, len(events))
	for i, e := range events {
		subscribers[i] = b.count(e, 0)
	}
	d := &delivery{Context: context.Background()}
	return inTurn(events, func(i int) {
		d.Data = events[i].Data
		d.done.Add(subscribers[i])
		b.Pub(d, events[i].topic)
		d.done.Wait()
	})
}

func (b cskr) close() {
	b.Shutdown()
	b.consumers.Wait()
}

// typed takes Go types for topics, so it has two: one for the first event, which
// the lanes dispatch, and one for any other. A client of it subscribes to a type
// once, so each handler is a client.
type typed struct {
	*tailscale.Bus
	mu          *sync.Mutex
	subscribers map[string]int // by topic
}

type other struct{}

func newTailscale() bus { return typed{tailscale.New(), new(sync.Mutex), map[string]int{}} }

func (b typed) on(e event, fn eventbus.Func) (off func()) {
	client := b.Client(e.topic)
	if e.topic == events[0].topic {
		tailscale.SubscribeFunc(client, func(d *delivery) {
			check(fn(d.Context, d.Data))
			d.done.Done()
		})
	} else {
		tailscale.SubscribeFunc(client, func(*other) {})
	}
	b.count(e, 1)
	return func() {
		client.Close()
		b.count(e, -1)
	}
}

func (b typed) count(e event, more int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers[e.topic] += more
	return b.subscribers[e.topic]
}

func (b typed) dispatcher(events []event) func(n int) {
	subscribers := b.count(events[0], 0)
	publisher, d := tailscale.Publish[*delivery](b.Client("publisher")), &delivery{Context: context.Background()}
	return inTurn(events, func(i int) {
		d.Data = events[i].Data
		d.done.Add(subscribers)
		publisher.Publish(d)
		d.done.Wait()
	})
}

func (b typed) close() { b.Close() }
