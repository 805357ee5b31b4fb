package watermillbus_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Watermill's store of ids has a goroutine that nothing ends.
		goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/message/router/middleware.(*mapExpiringKeyRepository).cleanOutLoop"))
}

// publisher is a broker that does with each message what the function says.
type publisher func(topic string, msg *message.Message) error

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := p(topic, m); err != nil {
			return err
		}
	}
	return nil
}

func (publisher) Close() error { return nil }

// keep returns a publisher that keeps the messages, as a network would pass them
// on: without the context.
func keep(msgs *[]*message.Message) publisher {
	return func(_ string, m *message.Message) error {
		*msgs = append(*msgs, m.Copy())
		return nil
	}
}

// newMessage returns a message with the pairs, keys and values in turn.
func newMessage(payload string, pairs ...string) *message.Message {
	m := message.NewMessage("uuid-1", []byte(payload))
	for i := 0; i < len(pairs); i += 2 {
		m.Metadata.Set(pairs[i], pairs[i+1])
	}
	return m
}
