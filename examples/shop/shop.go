package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/riverqueue/river"
	_ "modernc.org/sqlite" // the driver

	"example.com/eventbus"
	"example.com/eventbus/durable"
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

	bus       *eventbus.Bus
	db        *sql.DB
	reactions *durable.Client[*sql.Tx]
	runs      runs
	remote    *remote // nil where package mail runs here
}

// open puts the shop together, with its database in file. The reactions stored
// there don't run before start; log hears of those that fail. Package mail runs
// here, unless there is a remote.
func open(ctx context.Context, bus *eventbus.Bus, log *slog.Logger, file string, remote *remote) (*shop, error) {
	db, err := openDB(file)
	if err != nil {
		return nil, err
	}
	s := &shop{post: new(post), bus: bus, db: db, remote: remote}
	if err := s.wire(ctx, log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func openDB(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer at a time: let them queue here
	return db, nil
}

// wire has every package register its handlers. They run in the order in which
// they are registered, which is that of the calls below.
func (s *shop) wire(ctx context.Context, log *slog.Logger) (err error) {
	var retry river.ClientRetryPolicy // River's own begins with a second, which suits a broker that was away
	if s.remote == nil {
		retry = later{}
	}
	if s.reactions, err = reactions(s.db, log, retry); err != nil {
		return err
	}
	if err := s.reactions.Migrate(ctx); err != nil {
		return err
	}
	s.audit = audit.Wire(s.bus) // records an event before anybody acts on it
	if s.orders, err = order.Wire(ctx, s.bus, s.db, prices); err != nil {
		return err
	}
	s.stock = inventory.Wire(s.bus, stock) // before billing: no charge for what isn't there
	s.ledger = billing.Wire(s.bus, new(bank))
	if s.users, err = user.Wire(ctx, s.bus, s.db); err != nil {
		return err
	}
	if s.remote == nil {
		durably(s.bus, s.reactions, "mail", s.runs.trace, func(bus *eventbus.Bus) { mail.Wire(bus, s.post.send) })
	} else {
		durably(s.bus, s.reactions, "forward", s.runs.trace, s.remote.wire)
	}
	return nil
}

// start begins to run what is stored.
func (s *shop) start(ctx context.Context) error { return s.reactions.Start(ctx) }

// close waits for what runs, if anything was started.
func (s *shop) close() error {
	return errors.Join(s.reactions.Stop(context.Background()), s.db.Close())
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
