package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/examples/shop/order"
)

func TestMailerSendsWhatTheShopWould(t *testing.T) {
	status, stdout, stderr := runShop(t, "", "-mailer")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d and standard error %q, want 0 and nothing", status, stderr)
	}
	const want = `
    mailer  what its process sent of that
            ├─ cafe@mail.example: Welcome, Corner Cafe
            ├─ office@school.example: Welcome, Village school
            ├─ cafe@mail.example: Order o-1: thank you for €99.00
            ├─ buyer@shop.example: mug runs out: 0 left
            ├─ office@school.example: Order o-2: thank you for €75.00
            └─ cafe@mail.example: Order o-1 is on its way
`
	if !strings.Contains(strings.ReplaceAll(stdout, "\n  ", "\n"), want) {
		t.Errorf("no\n%s\nin\n%s", want, stdout)
	}
	if want := "mail  forwarded=10 to_be_retried=0 sent=6\n"; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
}

// The mailer is killed again and again while the shop goes on, also while it is
// dead: no mail is lost. One is sent twice where a kill came between the mail and
// the note that it is sent.
func TestMailerIsKilled(t *testing.T) {
	const kills, rounds = 3, 15
	dir := t.TempDir()
	mailer, err := openRemote(t.Context(), dir, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mailer.close(); err != nil {
			t.Error(err)
		}
	})
	s, err := open(t.Context(), eventbus.New(nil), slog.New(slog.DiscardHandler), filepath.Join(dir, "shop.db"), mailer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(context.Background()); err != nil {
		t.Fatal(err)
	}

	want := make(map[mail.Message]int)
	trade := func(n int) {
		t.Helper()
		for range n {
			i := len(want) / 3
			user, o := fmt.Sprintf("u-%d", i), fmt.Sprintf("o-%d", i)
			to := user + "@mail.example"
			if err := s.users.SignUp(t.Context(), user, user, to); err != nil {
				t.Fatal(err)
			}
			if err := s.orders.Place(t.Context(), order.Request{ID: o, User: user, Card: "visa", Items: []order.Item{{SKU: "mug", Quantity: 1}}}); err != nil {
				t.Fatal(err)
			}
			if err := s.orders.Cancel(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want[mail.Message{To: to, Subject: "Welcome, U" + user[1:]}]++
			want[mail.Message{To: to, Subject: fmt.Sprintf("Order %s: thank you for €12.50", o)}]++
			want[mail.Message{To: to, Subject: fmt.Sprintf("Order %s: €12.50 are back on your card", o)}]++
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range kills {
		trade(rounds) // for a dead mailer
		before := sentByMailer(t, mailer)
		if err := mailer.start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); sentByMailer(t, mailer) < before+rounds/2; {
			if time.Now().After(deadline) {
				t.Fatal("the mailer sends nothing")
			}
			<-tick.C
		}
		_ = mailer.end(os.Kill) // an error that says so
		t.Logf("killed with %d of %d mails sent", sentByMailer(t, mailer), len(want))
	}
	if err := mailer.start(); err != nil {
		t.Fatal(err)
	}
	trade(rounds)
	if _, err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}

	mails, err := mailer.mails()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[mail.Message]int)
	for _, m := range mails {
		got[m]++
	}
	for m := range want {
		if got[m] == 0 {
			t.Errorf("lost: %v", m)
		}
	}
	for m := range got {
		if want[m] == 0 {
			t.Errorf("nobody asked for %v", m)
		}
	}
	twice := len(mails) - len(got)
	t.Logf("%d kills: %d mails, %d lost, %d sent twice", kills, len(want), len(want)-len(got), twice)
	if twice > kills {
		t.Errorf("%d mails sent twice, want at most one for each of %d kills", twice, kills)
	}
}

// sentByMailer counts mails, also while they are written.
func sentByMailer(t *testing.T, r *remote) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "mails.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}
