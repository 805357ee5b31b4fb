// Mailer runs the shop's package mail as a process of its own, on events that it
// reads from a NATS JetStream. The package is the one that runs within the shop,
// and notices nothing.
//
//	go run ./examples/shop -mailer
//
// starts it, with the shop and a NATS server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/watermillbus"
)

const usage = `Mailer sends the mails of the shop whose events it reads from NATS JetStream.

Usage: mailer [-nats url] [-topic stream] [-dir folder]

It appends the mails to mails.jsonl in the folder, and to sent.jsonl what it
won't send again. Package mail keeps the addresses of users in memory, so the
mailer reads the events from the first one at each start. A mail that fails is
tried three times, and again at the next start.

  -nats   the server (nats://127.0.0.1:4222)
  -topic  the stream, and the subject in it (shop)
  -dir    where the files are (the current folder)
  -h      show this help

It ends on an interrupt, and fails where the server is gone. Killed, it has lost nothing: what it was sending goes
out at the next start. A mail goes out twice only if the kill came between the
mail and its line in sent.jsonl.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "mailer: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("mailer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	url := flags.String("nats", nats.DefaultURL, "")
	topic := flags.String("topic", "shop", "")
	dir := flags.String("dir", ".", "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, usage)
		return err
	case err != nil:
		return err
	}

	post, err := openPost(filepath.Join(*dir, "mails.jsonl"), filepath.Join(*dir, "sent.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, post.close()) }()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	bus := eventbus.New(nil) // the router logs what fails
	mail.Wire(bus, post.send)
	return dispatch(ctx, *url, *topic, watermill.NewSlogLogger(log), bus.Publish)
}

// dispatch hands all events of the topic, from the first one on, to fn until ctx
// ends. It fails where the connection is lost.
func dispatch(ctx context.Context, url, topic string, log watermill.LoggerAdapter, fn eventbus.Func) error {
	connected, lost := context.WithCancelCause(ctx)
	subscriber, err := watermillnats.NewSubscriber(watermillnats.SubscriberConfig{
		URL: url,
		NatsOptions: []nats.Option{
			nats.NoReconnect(), // the server may have forgotten the consumer: a new start makes another
			nats.ClosedHandler(func(*nats.Conn) { lost(errors.New("the connection to the NATS server is lost")) }),
		},
		NakDelay: watermillnats.NewMaxRetryDelay(100*time.Millisecond, 3),
		JetStream: watermillnats.JetStreamConfig{
			// A consumer that lasts as long as this process.
			SubscribeOptions: []nats.SubOpt{nats.DeliverAll(), nats.AckExplicit(), nats.ManualAck()},
		},
	}, log)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, log)
	if err != nil {
		return errors.Join(err, subscriber.Close())
	}
	router.AddConsumerHandler("mail", topic, subscriber, watermillbus.Dispatch(fn))
	if err := router.Run(connected); err != nil || ctx.Err() != nil { // it closes the subscriber
		return err
	}
	return context.Cause(connected)
}
