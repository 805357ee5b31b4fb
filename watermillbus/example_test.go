package watermillbus_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// An order placed in the shop's process is mailed about in the mailer's. The
// broker here is Watermill's own, in memory; with another one nothing but the
// line that makes it differs.
func Example() {
	broker := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})

	// The mailer.
	mailer := eventbus.New(nil)
	eventbus.On(mailer, "order", "placed", func(ctx context.Context, order struct{ Email string }) error {
		if order.Email == "" {
			return eventbus.Permanent(fmt.Errorf("the order has no address"))
		}
		fmt.Println("mail to", order.Email, "for request", metadata.Get(ctx, "request_id"))
		return nil
	})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		log.Fatal(err)
	}
	poison, err := middleware.PoisonQueueWithFilter(broker, "poison", eventbus.IsPermanent)
	if err != nil {
		log.Fatal(err)
	}
	router.AddMiddleware(poison)
	router.AddConsumerHandler("mail", "orders", broker, watermillbus.Dispatch(mailer.Publish))
	router.AddConsumerHandler("look", "poison", broker, func(m *message.Message) error {
		fmt.Println("given up:", m.Metadata[watermillbus.DomainKey], m.Metadata[watermillbus.ActionKey])
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	<-router.Running()

	// The shop.
	shop := eventbus.New(nil)
	shop.Handle(eventbus.Handler{Domain: "order", Action: "placed", Name: "orders to the mailer"},
		watermillbus.Forward(broker, "orders", nil))

	ctx := metadata.With(context.Background(), "request_id", "r-17")
	for _, email := range []string{"ann@example.org", ""} {
		if err := shop.Call(ctx, eventbus.MustData("order", "placed", map[string]string{"Email": email})); err != nil {
			fmt.Println(err)
		}
	}
	if err := errors.Join(router.Close(), <-done, broker.Close()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// mail to ann@example.org for request r-17
	// given up: order placed
}

// A topic for each event, or for each share of the keys: a handler that calls
// Forward with it.
func ExampleForward_topics() {
	show := publisher(func(topic string, m *message.Message) error {
		fmt.Println(topic, string(m.Payload))
		return nil
	})
	bus := eventbus.New(nil)
	bus.Register("order", eventbus.Any, func(ctx context.Context, data eventbus.Data) error {
		return watermillbus.Forward(show, "shop."+data.Domain+"."+data.Action, nil)(ctx, data)
	})
	for _, action := range []string{"placed", "paid"} {
		if err := bus.Publish(context.Background(), eventbus.MustData("order", action, 7)); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// shop.order.placed 7
	// shop.order.paid 7
}

// CloudEvents, for programs in other languages.
func ExampleOptions_cloudEvents() {
	show := publisher(func(_ string, m *message.Message) error {
		fmt.Println(m.Metadata["ce-type"], "from", m.Metadata["ce-source"], "as", m.Metadata["ce-datacontenttype"])
		return nil
	})
	forward := watermillbus.Forward(show, "orders", &watermillbus.Options{Source: "https://shop.example.org"})
	if err := forward(context.Background(), eventbus.MustData("order", "placed", 7)); err != nil {
		fmt.Println(err)
	}

	// And theirs, on the way in.
	bus := eventbus.New(nil)
	eventbus.On(bus, "invoice", "paid", func(_ context.Context, n int) error {
		fmt.Println("invoice", n, "is paid")
		return nil
	})
	m := message.NewMessage("1", []byte("7"))
	m.Metadata = message.Metadata{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/billing", "ce-type": "invoice.paid"}
	if err := watermillbus.Dispatch(bus.Publish)(m); err != nil {
		fmt.Println(err)
	}
	// Output:
	// order.placed from https://shop.example.org as application/json
	// invoice 7 is paid
}
