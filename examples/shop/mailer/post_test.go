package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/metadata"
	"example.com/eventbus/watermillbus"
)

func TestPostSendsAMailOnceUnlessKilledBetween(t *testing.T) {
	dir := t.TempDir()
	mails, sent := filepath.Join(dir, "mails.jsonl"), filepath.Join(dir, "sent.jsonl")
	send := func(event, to string) error {
		t.Helper()
		p, err := openPost(mails, sent) // as at each start of the mailer
		if err != nil {
			t.Fatal(err)
		}
		return errors.Join(p.send(metadata.With(t.Context(), watermillbus.IDKey, event), mail.Message{To: to, Subject: "Hello"}), p.close())
	}
	count := func(want ...string) {
		t.Helper()
		text, err := os.ReadFile(mails)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(text)) {
			got = append(got, strings.Split(line, `"`)[3])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mails of events (-want +got):\n%s", diff)
		}
	}
	for _, event := range []string{"e-1", "e-2", "e-1"} {
		if err := send(event, "a@mail.example"); err != nil {
			t.Fatal(err)
		}
	}
	count("e-1", "e-2")
	for range 2 {
		if err := send("e-3", "a@full.example"); !errors.Is(err, errMailboxFull) {
			t.Errorf("send = %v, want %v each time: what failed isn't noted as sent", err, errMailboxFull)
		}
	}
	if err := os.Truncate(sent, 0); err != nil { // as if killed before the note
		t.Fatal(err)
	}
	if err := send("e-1", "a@mail.example"); err != nil {
		t.Fatal(err)
	}
	count("e-1", "e-2", "e-1")
}
