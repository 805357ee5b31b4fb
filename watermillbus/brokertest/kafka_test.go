package brokertest

import (
	"context"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

// No Kafka runs here. That Watermill's publisher and subscriber fit is for the
// compiler to say.
var (
	_ message.Publisher  = (*kafka.Publisher)(nil)
	_ message.Subscriber = (*kafka.Subscriber)(nil)
	_                    = watermillbus.Forward((*kafka.Publisher)(nil), "events", nil)
)

// records writes messages as Kafka records, whose partition is by the pair
// order_id, and reads them.
type records struct {
	t    *testing.T
	keys []string
	read []*message.Message
}

func (r *records) Publish(topic string, messages ...*message.Message) error {
	m := kafka.NewWithPartitioningMarshaler(func(_ string, msg *message.Message) (string, error) {
		return msg.Metadata["order_id"], nil
	})
	for _, msg := range messages {
		out, err := m.Marshal(topic, msg)
		if err != nil {
			return err
		}
		key, err := out.Key.Encode()
		if err != nil {
			return err
		}
		value, err := out.Value.Encode()
		if err != nil {
			return err
		}
		in := &sarama.ConsumerMessage{Topic: topic, Key: key, Value: value}
		for _, h := range out.Headers {
			in.Headers = append(in.Headers, &h)
		}
		got, err := m.Unmarshal(in)
		if err != nil {
			return err
		}
		r.keys, r.read = append(r.keys, string(key)), append(r.read, got)
	}
	return nil
}

func (*records) Close() error { return nil }

func TestKafkaRecords(t *testing.T) {
	r := &records{t: t}
	ctx := metadata.With(t.Context(), "order_id", "o-7")
	sent := eventbus.Data{Domain: "order", Action: "placed", RawParams: []byte(`{ "n": 7 }`)}
	if err := watermillbus.Forward(r, "events", &watermillbus.Options{Source: "/shop"})(ctx, sent); err != nil {
		t.Fatal(err)
	}
	if len(r.keys) != 1 || r.keys[0] != "o-7" {
		t.Fatalf("partition keys %q, want o-7", r.keys)
	}
	called := false
	err := watermillbus.Dispatch(func(ctx context.Context, got eventbus.Data) error {
		called = true
		if got.String() != "order/placed" || string(got.RawParams) != string(sent.RawParams) {
			t.Errorf("event %v with params %s, want %v with %s", got, got.RawParams, sent, sent.RawParams)
		}
		if metadata.Get(ctx, "order_id") != "o-7" || metadata.Get(ctx, watermillbus.IDKey) != r.read[0].UUID {
			t.Errorf("pairs %v of message %s", metadata.All(ctx), r.read[0].UUID)
		}
		return nil
	})(r.read[0])
	if err != nil || !called {
		t.Errorf("error %v, called %v", err, called)
	}
}
