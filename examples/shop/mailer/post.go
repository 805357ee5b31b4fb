package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
)

var errMailboxFull = errors.New("the mailbox is full")

// post stands for what delivers mails, with a file, and remembers in another what
// it has delivered.
type post struct {
	mu          sync.Mutex
	mails, sent *os.File
	done        map[letter]bool
}

// letter is a mail about the event of that id.
type letter struct {
	Event   string `json:"event"`
	To      string `json:"to"`
	Subject string `json:"subject"`
}

func openPost(mails, sent string) (_ *post, err error) {
	p := &post{done: make(map[letter]bool)}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.mails, err = os.OpenFile(mails, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	if p.sent, err = os.OpenFile(sent, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(p.sent)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var l letter
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, fmt.Errorf("%s: %w", sent, err)
		}
		p.done[l] = true
	}
	return p, nil
}

// send is the mail.Send of this process. A mail of an event that came before
// isn't sent again.
func (p *post) send(ctx context.Context, m mail.Message) error {
	l := letter{metadata.Get(ctx, watermillbus.IDKey), m.To, m.Subject}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done[l] {
		return nil
	}
	if strings.HasSuffix(m.To, "@full.example") {
		return errMailboxFull
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := p.mails.Write(line); err != nil {
		return err
	}
	// Killed here, it sends the mail again.
	if _, err := p.sent.Write(line); err != nil {
		return err
	}
	p.done[l] = true
	return nil
}

func (p *post) close() error { return errors.Join(closeFile(p.mails), closeFile(p.sent)) }

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}
