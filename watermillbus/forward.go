package watermillbus

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Options says what Forward puts into the messages. The zero value is right
// where both ends are an eventbus.
type Options struct {
	// Source, where set, adds the attributes of CloudEvents 1.0 to the message's
	// metadata and is the source among them: a URI reference that names the
	// producer, such as https://shop.example.org or /shop.
	//
	// They have the form that the NATS protocol binding of CloudEvents gives
	// headers: ce-id, ce-source, ce-specversion, ce-time, ce-type, which is the
	// domain, a dot and the action, and ce-datacontenttype where there is a
	// payload. (Kafka's binding spells them ce_id; a Marshaler of watermill-kafka
	// may rename them.)
	Source string

	// Identify, where set, gives the event's id and when it happened: an id that
	// stays the same where the event is forwarded again, so that receivers know it,
	// and that no other event has. By default, and in place of an empty id and of
	// the zero time, the id is a new random UUID and the time is now. Behind a
	// reaction of package durable it is
	//
	//	func(ctx context.Context, _ eventbus.Data) (string, time.Time) {
	//		job, _ := durable.From(ctx)
	//		return job.Key, job.Time
	//	}
	Identify func(ctx context.Context, data eventbus.Data) (id string, at time.Time)
}

// Forward returns a handler that publishes events to topic, as messages of the
// form that the package comment and o say; o may be nil. It keeps nothing and
// may be called by several goroutines at once if the publisher may.
//
// The handler fails where the publisher does. It fails for good, with
// ErrMalformed, where the event lacks a name or its RawParams aren't JSON. It
// publishes nothing where ctx has ended, and skips the event that came in by
// Dispatch. The message has ctx as its context; whether the publisher looks at
// it, for a deadline or a span, is the publisher's affair.
//
// In errors and in Bus.Handlers the name is watermillbus.forwarder.Forward, and
// the error tells the topic. Bus.Handle gives it a name of your own.
//
// Forward panics where the publisher is nil or the topic is empty.
func Forward(publisher message.Publisher, topic string, o *Options) eventbus.Func {
	if publisher == nil || topic == "" {
		panic(fmt.Sprintf("watermillbus: forward to topic %q: a publisher and a topic are needed", topic))
	}
	f := forwarder{publisher: publisher, topic: topic}
	if o != nil {
		f.o = *o
	}
	return f.Forward
}

// forwarder has a method rather than a closure for its name in errors.
type forwarder struct {
	publisher message.Publisher
	topic     string
	o         Options
}

func (f forwarder) Forward(ctx context.Context, data eventbus.Data) error {
	fail := func(err error) error {
		return fmt.Errorf("watermillbus: forward %v to topic %s: %w", data, f.topic, err)
	}
	if err := check(data); err != nil {
		return fail(err)
	}
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	pairs := metadata.All(ctx)
	if mark, ok := pairs[receivedKey]; ok && mark == fingerprint(data) {
		return nil
	}
	if err := f.publisher.Publish(f.topic, f.message(ctx, data, pairs)); err != nil {
		return fail(err)
	}
	return nil
}

func (f forwarder) message(ctx context.Context, data eventbus.Data, pairs map[string]string) *message.Message {
	var id string
	var at time.Time
	if f.o.Identify != nil {
		id, at = f.o.Identify(ctx, data)
	}
	id = cmp.Or(id, watermill.NewUUID())
	if at.IsZero() {
		at = time.Now()
	}
	stamp := at.UTC().Format(time.RFC3339Nano)

	maps.DeleteFunc(pairs, func(key, _ string) bool {
		return strings.HasPrefix(key, ownPrefix) || strings.HasPrefix(key, cePrefix)
	})
	pairs[DomainKey], pairs[ActionKey], pairs[IDKey], pairs[TimeKey] = data.Domain, data.Action, id, stamp
	if f.o.Source != "" {
		setCloudEvent(pairs, data, id, f.o.Source, stamp)
	}
	// The payload is a copy: nobody may write to RawParams, and what middleware does
	// to a message isn't ours to say.
	m := message.NewMessageWithContext(ctx, id, bytes.Clone(data.RawParams))
	m.Metadata = pairs
	return m
}

// check refuses, for good, an event that a message can't carry.
func check(data eventbus.Data) error {
	if data.Domain == "" || data.Action == "" {
		return eventbus.Permanent(fmt.Errorf("%w: domain %q and action %q are needed", ErrMalformed, data.Domain, data.Action))
	}
	if len(data.RawParams) > 0 && !json.Valid(data.RawParams) {
		return eventbus.Permanent(fmt.Errorf("%w: the params are not JSON", ErrMalformed))
	}
	return nil
}
