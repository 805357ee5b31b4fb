package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"example.com/eventbus"
	"example.com/eventbus/examples/shop/audit"
	"example.com/eventbus/examples/shop/billing"
	"example.com/eventbus/examples/shop/inventory"
	"example.com/eventbus/examples/shop/mail"
	"example.com/eventbus/examples/shop/order"
	"example.com/eventbus/examples/shop/user"
)

// What the shop sells, by SKU.
var (
	prices = map[string]int{"mug": 1250, "pot": 3900, "tray": 2400} // in cents
	stock  = map[string]int{"mug": 12, "pot": 4, "tray": 8}
)

type shop struct {
	users  *user.Users
	orders *order.Orders
	stock  *inventory.Stock
	ledger *billing.Ledger
	audit  *audit.Log
	post   *post
}

// wire puts the shop together. Handlers run in the order in which they are
// registered, which is that of the calls below.
func wire(bus *eventbus.Bus) *shop {
	s := &shop{post: new(post)}
	s.audit = audit.Wire(bus) // records an event before anybody acts on it
	s.orders = order.Wire(bus, prices)
	s.stock = inventory.Wire(bus, stock) // before billing: no charge for what isn't there
	s.ledger = billing.Wire(bus, new(bank))
	mail.Wire(bus, s.post.send)
	s.users = user.Wire(bus)
	return s
}

// bank and post stand for what a real shop reaches over the network.
type bank struct {
	mu       sync.Mutex
	receipts int
}

var errDeclined = errors.New("the card is declined")

func (b *bank) Charge(_ context.Context, card string, _ int) (receipt string, err error) {
	if card == "declined" {
		return "", errDeclined
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receipts++
	return fmt.Sprintf("r-%d", b.receipts), nil
}

func (b *bank) Refund(context.Context, string) error { return nil }

type post struct {
	mu   sync.Mutex
	sent []mail.Message
}

var errMailboxFull = errors.New("the mailbox is full")

func (p *post) send(_ context.Context, m mail.Message) error {
	if strings.HasSuffix(m.To, "@full.example") {
		return errMailboxFull
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

func (p *post) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent)
}
