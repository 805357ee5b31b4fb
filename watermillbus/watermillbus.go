// Package watermillbus takes events to other processes and brings theirs in,
// over any broker that Watermill speaks: NATS JetStream, Redis Streams, Kafka.
// Forward makes messages of events, Dispatch makes events of messages; the
// packages that publish and handle the events notice neither.
//
//	// the shop's process
//	bus.Register("order", "placed", watermillbus.Forward(publisher, "orders", nil))
//
//	// the mailer's process
//	router.AddMiddleware(poison, retry) // see Failures
//	router.AddConsumerHandler("mail", "orders", subscriber, watermillbus.Dispatch(bus.Publish))
//
//	  order ── Call ──▶ bus ──▶ Forward ──▶ ║ broker ║ ──▶ Dispatch ──▶ bus ──▶ mail
//	    ◀──── error ─────────────────┘                └─◀ ack, nack ─┘
//
// # The message
//
// The payload is RawParams, byte for byte. The message's metadata has the pairs
// of the context's metadata (package metadata), and with them whatever trace
// context lies there, such as a traceparent, and beside those the event's own
// pairs: [DomainKey], [ActionKey], [IDKey] and [TimeKey]. The id is the message's
// UUID, too. Options.Source adds the attributes of CloudEvents 1.0, by which
// programs in other languages know the event.
//
// On the other side a handler's context has all pairs of the message:
// metadata.Get(ctx, watermillbus.IDKey) is the id of the message being handled,
// also for an event that the handler dispatches in turn. Forward never takes
// over pairs that belong to one message: those that begin with eventbus_ or ce-.
//
// Brokers differ in what they carry. Over NATS, pairs are headers: a key with a
// space or a colon is left out and a line break in a value becomes a space, so
// give keys as package metadata recommends and names of events without spaces.
//
// # Failures
//
// An event that Forward can't hand to the broker is an error of the producer's
// Call or Publish. Some brokers' clients give up only after a timeout of their
// own, and a message whose confirmation got lost may have arrived all the same.
// Where the events have to wait for a broker that is down, register Forward
// behind a reaction of package durable.
//
// A message is acked once the dispatch has returned nil, also where nobody
// handles the event, and nacked where it returned an error, so that the broker
// delivers it again: every handler sees an event at least once. A redelivery runs
// all handlers of the event again, also those that had succeeded.
//
// An error that eventbus.IsPermanent reports, redelivery can't mend: the event's
// handlers marked it so, or the message is none of an event ([ErrMalformed]). Where
// Publish joined permanent failures and others, IsPermanent reports false until
// only the permanent ones are left. Left alone, a permanent failure goes round for
// ever. Let Watermill's middleware, the first outermost, take it aside:
//
//	poison, err := middleware.PoisonQueueWithFilter(publisher, "poison", eventbus.IsPermanent)
//	retry := middleware.Retry{
//		MaxRetries:      3,
//		InitialInterval: 100 * time.Millisecond,
//		ShouldRetry:     func(p middleware.RetryParams) bool { return !eventbus.IsPermanent(p.Err) },
//	}
//	router.AddMiddleware(poison, retry.Middleware)
//
// With watermill-nats and JetStream four settings keep these promises. The
// subscriber needs nats.ManualAck(), or nats.go acks what a shutdown cut off. Its
// durable consumer has to be made beforehand (AddConsumer): one that Subscribe
// makes goes with the subscription, and what it had acked is forgotten. The
// publisher needs nats.ReconnectBufSize(-1), or an event that the producer was told
// had failed is sent after all once the server is back. And AckWait has to be longer
// than the handlers take.
//
// # Duplicates
//
// Brokers deliver more than once now and then, and a producer that tries again
// sends more than once. What arrives twice has the same id. What to do about it,
// the surest first:
//
//   - A handler stores the id in the transaction that does its work, in a column
//     that is unique.
//
//   - JetStream drops ids that it has seen, if asked to (TrackMsgId of
//     watermill-nats); Options.Identify gives an event that is sent again the same id.
//
//   - Watermill's Deduplicator drops ids that it has seen in the last minute or so.
//
// The Deduplicator remembers an id before the handlers have run, so it would drop
// a message that was nacked when it comes again. Let no error out to it: inside of
// it belong Retry and a PoisonQueue that takes whatever Retry gave up.
//
//	dedupe := &middleware.Deduplicator{KeyFactory: middleware.NewMessageHasherFromMetadataField(watermillbus.IDKey)}
//	poison, err := middleware.PoisonQueue(publisher, "poison")
//	router.AddMiddleware(dedupe.Middleware, poison, retry.Middleware)
//
// # Loops
//
// Where both sides forward an event, the one that Dispatch brought in would go
// out again, and round for ever. So Forward skips it: Dispatch marks the context,
// and Forward returns nil for the marked event. Events that handlers dispatch in
// turn are others, and go out; so is an event of the same name with other params.
// The mark is a pair of the metadata, so it outlives a reaction of package durable.
// Handlers that give up the context for a new one lose it.
//
// No bus can see a cycle that leads through handlers of two processes: a handler
// here that answers ping with pong, and one there that answers pong with ping. To
// connect two brokers, use Watermill's router alone.
//
// A process that reads the topic which it forwards to has its own events back,
// and its handlers run twice. Forward to a topic of your own.
//
// # Order
//
// Forward has handed over an event before it returns: one goroutine's events are
// in the topic in the order in which it dispatched them. What comes after depends
// on the broker. To keep the order of all events of one key (an order's number):
//
//   - Kafka: put the key into the metadata and let
//     kafka.NewWithPartitioningMarshaler read it from the message there.
//   - JetStream: one subscriber of a consumer with MaxAckPending(1); with more
//     pending, what comes after a nacked message overtakes it. To share the work,
//     spread the keys over several topics.
//   - Redis Streams: one subscriber to a consumer group. A nacked message is
//     tried again before the next. To share the work, spread the keys over several topics.
//
// Behind a reaction of package durable there is no order to keep, not even among
// the events of one key: reactions run side by side, and one that is tried again
// comes after those that were stored later. Events that must not overtake each
// other carry a number that grows, such as the version of a row, by which the
// handler knows the older ones.
//
// A topic that depends on the event is a handler that calls Forward with it; an
// example shows one.
package watermillbus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"example.com/eventbus"
)

// The event's own pairs in the metadata of a message, and in that of the context
// that Dispatch hands on.
const (
	DomainKey = "eventbus_domain"
	ActionKey = "eventbus_action"
	IDKey     = "eventbus_id"   // the message's UUID
	TimeKey   = "eventbus_time" // RFC 3339 with nanoseconds, UTC
)

const (
	ownPrefix   = "eventbus_"
	receivedKey = "eventbus_received" // the mark of what came in, in the context alone
)

// ErrMalformed is what Dispatch returns for a message that is none of an event,
// since it names no domain and action or its payload isn't JSON, and Forward for
// an event that would make such a message. It comes as a permanent error.
var ErrMalformed = errors.New("malformed")

// fingerprint tells an event from those dispatched while it is handled.
func fingerprint(data eventbus.Data) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %s", data.Domain, data.Action, data.RawParams)
	return hex.EncodeToString(h.Sum(nil))
}
