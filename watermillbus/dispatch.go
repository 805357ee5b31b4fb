package watermillbus

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Dispatch returns a Watermill handler that makes an event of each message and
// hands it to dispatch, which is bus.Call or bus.Publish:
//
//	router.AddConsumerHandler("mail", "orders", subscriber, watermillbus.Dispatch(bus.Publish))
//
// Its error nacks the message and names it by its UUID; which errors are for good,
// the package comment says. The context of the dispatch is the message's, with the
// message's pairs beside its metadata; it ends soon after the message is acked or
// nacked, and when the router closes.
//
// A message without DomainKey and ActionKey is read as a CloudEvent 1.0 in binary
// mode (see Options.Source): its type up to the last dot is the domain and the
// rest the action; its id and time become those of the event. The id of a
// message that has none is its UUID.
//
// Messages on a topic may come from anybody who may write to the broker: each
// names the event that it sets off.
//
// Dispatch panics where dispatch is nil.
func Dispatch(dispatch eventbus.Func) message.NoPublishHandlerFunc {
	if dispatch == nil {
		panic("watermillbus: Dispatch(nil): bus.Call or bus.Publish is needed")
	}
	return func(msg *message.Message) error {
		fail := func(err error) error { return fmt.Errorf("watermillbus: dispatch message %s: %w", msg.UUID, err) }
		data, err := event(msg)
		if err != nil {
			return fail(eventbus.Permanent(err))
		}
		pairs := maps.Clone(msg.Metadata)
		pairs[DomainKey], pairs[ActionKey], pairs[receivedKey] = data.Domain, data.Action, fingerprint(data)
		pairs[IDKey] = cmp.Or(pairs[IDKey], ceDecode(pairs[ceID]), msg.UUID)
		if at := cmp.Or(pairs[TimeKey], ceDecode(pairs[ceTime])); at != "" {
			pairs[TimeKey] = at
		}
		ctx := metadata.WithAll(msg.Context(), pairs)
		if err := dispatch(ctx, data); err != nil {
			if eventbus.IsPermanent(err) && !permanent(err) {
				err = partly{err}
			}
			return fail(err)
		}
		return nil
	}
}

// event returns the event that msg is of.
func event(msg *message.Message) (eventbus.Data, error) {
	data := eventbus.Data{Domain: msg.Metadata[DomainKey], Action: msg.Metadata[ActionKey]}
	if data.Domain == "" && data.Action == "" {
		var err error
		if data.Domain, data.Action, err = cloudEvent(msg.Metadata); err != nil {
			return data, err
		}
	}
	if len(msg.Payload) > 0 {
		data.RawParams = msg.Payload
	}
	return data, check(data)
}

// permanent reports whether all handlers failed for good. Where Publish joined
// their failures, eventbus.IsPermanent reports whether one did, and to give up the
// message then would give up the others' retries.
func permanent(err error) bool {
	if !eventbus.IsPermanent(err) {
		return false
	}
	switch e := err.(type) { //nolint:errorlint // level by level
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		return !eventbus.IsPermanent(inner) || permanent(inner) // marked here, or further in
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if _, ok := inner.(*eventbus.HandlerError); ok && !permanent(inner) { //nolint:errorlint // bare, as Publish joins them
				return false
			}
		}
	}
	return true
}

// partly is an error that is permanent in parts, which eventbus.IsPermanent
// doesn't see. Errors are found in it as ever, but by an interface they aren't.
type partly struct{ err error }

func (e partly) Error() string        { return e.err.Error() }
func (e partly) Is(target error) bool { return errors.Is(e.err, target) }
func (e partly) As(target any) bool {
	return reflect.TypeOf(target).Elem().Kind() != reflect.Interface && errors.As(e.err, target)
}
