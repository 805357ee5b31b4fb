package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.com/eventbus"
	"example.com/eventbus/durable"
	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/watermillbus"
)

// topic is the stream of events for the mailer, and the subject in it.
const topic = "shop"

// remote is package mail in a process of its own, the program mailer, and a NATS
// server between it and the shop.
type remote struct {
	dir, program string
	stderr       io.Writer // of the mailer
	server       *server.Server
	conn         *nats.Conn
	stream       nats.JetStreamContext
	publisher    message.Publisher

	mailer *exec.Cmd
	ended  chan error // the end of mailer
}

// openRemote starts the server and builds the mailer, in dir. It needs the go
// command and to run within this module.
func openRemote(ctx context.Context, dir string, stderr io.Writer) (_ *remote, err error) {
	r := &remote{dir: dir, program: filepath.Join(dir, "bin", "mailer"), stderr: stderr}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	pkg := reflect.TypeFor[mail.Message]().PkgPath() + "er"
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Dir(r.program)+string(filepath.Separator), pkg).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the mailer: %w\n%s", err, out)
	}
	r.server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(dir, "nats"),
	})
	if err != nil {
		return nil, fmt.Errorf("start the NATS server: %w", err)
	}
	r.server.Start()
	if !r.server.ReadyForConnections(30 * time.Second) {
		return nil, errors.New("start the NATS server: it isn't ready after 30 s")
	}
	if r.conn, err = nats.Connect(r.server.ClientURL()); err != nil {
		return nil, fmt.Errorf("connect to the NATS server: %w", err)
	}
	if r.stream, err = r.conn.JetStream(); err != nil {
		return nil, err
	}
	if _, err = r.stream.AddStream(&nats.StreamConfig{Name: topic, Subjects: []string{topic}}); err != nil {
		return nil, fmt.Errorf("add the stream: %w", err)
	}
	r.publisher, err = watermillnats.NewPublisherWithNatsConn(r.conn, watermillnats.PublisherPublishConfig{
		Marshaler:         new(watermillnats.NATSMarshaler),
		SubjectCalculator: watermillnats.DefaultSubjectCalculator,
		JetStream:         watermillnats.JetStreamConfig{TrackMsgId: true}, // what is forwarded twice is stored once
	}, watermill.NopLogger{})
	return r, err
}

// wire forwards the events that package mail handles, in place of mail.Wire.
func (r *remote) wire(bus *eventbus.Bus) {
	list := eventbus.New(nil)
	mail.Wire(list, nil)
	forward := watermillbus.Forward(r.publisher, topic, &watermillbus.Options{
		Identify: func(ctx context.Context, _ eventbus.Data) (string, time.Time) {
			job, _ := durable.From(ctx)
			return job.Key, job.Time
		},
	})
	for h := range list.Handlers() {
		bus.Handle(eventbus.Handler{Domain: h.Domain, Action: h.Action, Name: "forward to the mailer"}, forward)
	}
}

// start starts the mailer.
func (r *remote) start() error {
	r.mailer = exec.Command(r.program, "-nats", r.server.ClientURL(), "-topic", topic, "-dir", r.dir)
	r.mailer.Stderr = r.stderr
	if err := r.mailer.Start(); err != nil {
		r.mailer = nil
		return fmt.Errorf("start the mailer: %w", err)
	}
	r.ended = make(chan error, 1)
	go func(mailer *exec.Cmd, ended chan<- error) { ended <- mailer.Wait() }(r.mailer, r.ended)
	return nil
}

// end sends the mailer a signal and waits for its end.
func (r *remote) end(signal os.Signal) error {
	if r.mailer == nil {
		return nil
	}
	err := r.mailer.Process.Signal(signal)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		err = <-r.ended
	}
	r.mailer = nil
	return err
}

// settle waits until the mailer is done with all that was forwarded to it.
func (r *remote) settle(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for c := range r.stream.Consumers(topic, nats.Context(ctx)) {
			if c.PushBound && c.NumPending == 0 && c.NumAckPending == 0 { // an earlier mailer's isn't bound
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.ended:
			r.mailer = nil
			return fmt.Errorf("the mailer ended: %w", err)
		case <-tick.C:
		}
	}
}

// mails returns what the mailer has sent.
func (r *remote) mails() ([]mail.Message, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "mails.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []mail.Message
	for line := range bytes.Lines(text) {
		var m mail.Message
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("read the mails: %w", err)
		}
		all = append(all, m)
	}
	return all, nil
}

func (r *remote) close() error {
	err := r.end(os.Interrupt)
	if r.conn != nil {
		r.conn.Close()
	}
	if r.server != nil {
		r.server.Shutdown()
		r.server.WaitForShutdown()
	}
	return err
}
