package brokertest

import (
	"context"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsServer is a NATS server in this process, with JetStream.
type natsServer struct {
	options *natsserver.Options
	server  *natsserver.Server
}

func newNATS(t *testing.T) server {
	s := &natsServer{options: &natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *natsServer) start(t *testing.T) {
	o := *s.options
	server, err := natsserver.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	s.server = server
	if !server.ReadyForConnections(patience) {
		t.Fatal("the NATS server doesn't start")
	}
	if s.options.Port == natsserver.RANDOM_PORT {
		s.options.Port = o.Port
		s.provision(t)
	}
}

func (s *natsServer) stop(*testing.T) {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

func (s *natsServer) connect(t *testing.T) *nats.Conn {
	closed := make(chan struct{})
	conn, err := nats.Connect(s.server.ClientURL(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		// While the server is away, an error at once rather than a buffer: what the
		// producer was told has failed must not be sent later.
		nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !conn.IsDraining() {
			conn.Close()
		}
		wait(t, "end of the connection", closed)
	})
	return conn
}

func (s *natsServer) unacked(t *testing.T) int {
	js, err := s.connect(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.ConsumerInfo("events", "mailer-events")
	if err != nil {
		t.Fatal(err)
	}
	return info.NumAckPending + int(info.NumPending)
}

// provision makes the streams and their consumers. A consumer that is there
// before its subscriber outlives it; one that Subscribe makes, nats.go deletes with
// the subscription, and what it had acked is forgotten.
func (s *natsServer) provision(t *testing.T) {
	js, err := s.connect(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"events", "poison"} {
		if _, err := js.AddStream(&nats.StreamConfig{Name: topic, Subjects: []string{topic}}); err != nil {
			t.Fatal(err)
		}
		if _, err := js.AddConsumer(topic, &nats.ConsumerConfig{
			Durable: "mailer-" + topic, DeliverSubject: "deliver-" + topic, AckPolicy: nats.AckExplicitPolicy, MaxAckPending: 1,
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *natsServer) publisher(t *testing.T) message.Publisher {
	p, err := wmnats.NewPublisherWithNatsConn(s.connect(t), wmnats.PublisherPublishConfig{
		Marshaler: &wmnats.NATSMarshaler{}, SubjectCalculator: wmnats.DefaultSubjectCalculator,
		JetStream: wmnats.JetStreamConfig{TrackMsgId: true},
	}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, p)
	return p
}

func (s *natsServer) subscriber(t *testing.T) message.Subscriber {
	sub, err := wmnats.NewSubscriberWithNatsConn(s.connect(t), wmnats.SubscriberSubscriptionConfig{
		JetStream: wmnats.JetStreamConfig{
			DurableCalculator: func(_, topic string) string { return "mailer-" + topic },
			SubscribeOptions:  []nats.SubOpt{nats.ManualAck()}, // or nats.go acks what Watermill leaves unacked
		},
	}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, sub)
	return sub
}

// An event that is forwarded twice with the same id is in the stream once.
func TestNATSDropsIDsItHasSeen(t *testing.T) {
	s := newNATS(t).(*natsServer)
	s.start(t)
	forward := watermillbus.Forward(s.publisher(t), "events", &watermillbus.Options{
		Identify: func(_ context.Context, d eventbus.Data) (string, time.Time) {
			return "order-" + string(d.RawParams), time.Time{}
		},
	})
	for _, n := range []int{1, 1, 2, 1} {
		if err := forward(t.Context(), eventbus.MustData("order", "placed", n)); err != nil {
			t.Fatal(err)
		}
	}
	js, err := s.connect(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("events")
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 2 {
		t.Errorf("%d messages in the stream, want 2", info.State.Msgs)
	}
}

// Programs without Watermill write and read plain NATS messages.
func TestNATSCloudEventsOfOthers(t *testing.T) {
	s := newNATS(t).(*natsServer)
	s.start(t)
	conn := s.connect(t)
	read, err := conn.SubscribeSync("events")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	forward := watermillbus.Forward(s.publisher(t), "events", &watermillbus.Options{Source: "/shop"})
	if err := forward(t.Context(), eventbus.MustData("order", "placed", 7)); err != nil {
		t.Fatal(err)
	}
	m, err := read.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Data) != "7" || m.Header.Get("ce-type") != "order.placed" || m.Header.Get("ce-source") != "/shop" || m.Header.Get("ce-id") == "" {
		t.Errorf("message %s with headers %v", m.Data, m.Header)
	}

	m = nats.NewMsg("events")
	m.Data = []byte("8")
	m.Header = nats.Header{"ce-specversion": {"1.0"}, "ce-type": {"invoice.paid"}, "ce-id": {"inv-8"}, "ce-source": {"/py"}}
	if err := conn.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	bus := eventbus.New(nil)
	bus.Register("invoice", "paid", func(ctx context.Context, d eventbus.Data) error {
		got <- string(d.RawParams) + " " + metadata.Get(ctx, watermillbus.IDKey)
		return nil
	})
	route(t, s, bus.Call)
	if g := wait(t, "event", got); g != "8 inv-8" {
		t.Errorf("event %q, want 8 inv-8", g)
	}
}
