// Package mail writes to customers, and to the shop's own buyer, when something
// happens that they should know.
package mail

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"example.com/eventbus"
)

// Buyer is the address that hears of products that run out.
const Buyer = "buyer@shop.example"

// Message is a mail.
type Message struct{ To, Subject string }

// Send hands a mail to whoever delivers it.
type Send func(context.Context, Message) error

type mailer struct {
	send      Send
	mu        sync.Mutex
	addresses map[string]string // by user
}

// Wire has mails sent for what happens on bus.
func Wire(bus *eventbus.Bus, send Send) {
	m := &mailer{send: send, addresses: make(map[string]string)}
	eventbus.On(bus, "user", "created", m.welcome)
	eventbus.On(bus, "order", "placed", m.confirm)
	eventbus.On(bus, "order", "shipped", m.announce)
	eventbus.On(bus, "billing", "refunded", m.refunded)
	eventbus.On(bus, "inventory", "low", m.reorder)
}

type newUser struct {
	User  string `json:"user"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (m *mailer) welcome(ctx context.Context, u newUser) error {
	m.mu.Lock()
	m.addresses[u.User] = u.Email
	m.mu.Unlock()
	// A bug, on purpose: who gave no name makes it panic. The bus makes an error
	// of that, and the sign-up stands.
	name := strings.ToUpper(u.Name[:1]) + u.Name[1:]
	return m.write(ctx, u.User, "Welcome, "+name)
}

type purchase struct {
	Order string `json:"order"`
	User  string `json:"user"`
	Total int    `json:"total"` // in cents
}

func (m *mailer) confirm(ctx context.Context, p purchase) error {
	return m.write(ctx, p.User, fmt.Sprintf("Order %s: thank you for %s", p.Order, euros(p.Total)))
}

type shipment struct {
	Order string `json:"order"`
	User  string `json:"user"`
}

func (m *mailer) announce(ctx context.Context, s shipment) error {
	return m.write(ctx, s.User, fmt.Sprintf("Order %s is on its way", s.Order))
}

type refund struct {
	Order  string `json:"order"`
	User   string `json:"user"`
	Amount int    `json:"amount"` // in cents
}

func (m *mailer) refunded(ctx context.Context, r refund) error {
	return m.write(ctx, r.User, fmt.Sprintf("Order %s: %s are back on your card", r.Order, euros(r.Amount)))
}

type shortage struct {
	SKU  string `json:"sku"`
	Left int    `json:"left"`
}

func (m *mailer) reorder(ctx context.Context, s shortage) error {
	return m.send(ctx, Message{To: Buyer, Subject: fmt.Sprintf("%s runs out: %d left", s.SKU, s.Left)})
}

// write sends a mail to a user. Its errors name the user, never the address.
func (m *mailer) write(ctx context.Context, user, subject string) error {
	m.mu.Lock()
	to, ok := m.addresses[user]
	m.mu.Unlock()
	if !ok {
		return fmt.Errorf("mail: no address of user %s", user)
	}
	if err := m.send(ctx, Message{To: to, Subject: subject}); err != nil {
		return fmt.Errorf("mail: send to user %s: %w", user, err)
	}
	return nil
}

func euros(cents int) string { return fmt.Sprintf("€%d.%02d", cents/100, cents%100) }
