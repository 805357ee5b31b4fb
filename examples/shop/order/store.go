package order

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"example.com/eventbus/txn"
)

const schema = `
CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS orders (
	id       TEXT PRIMARY KEY,
	customer TEXT NOT NULL REFERENCES customers,
	items    TEXT NOT NULL, -- as JSON
	total    INTEGER NOT NULL,
	state    TEXT NOT NULL
)`

// store keeps the orders, and who may order, in SQLite, within the caller's
// transaction where there is one.
type store struct{ db *sql.DB }

// conn is what a *sql.DB and a *sql.Tx have in common.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *store) conn(ctx context.Context) (conn, error) {
	tx, err := txn.From[*sql.Tx](ctx)
	if errors.Is(err, txn.ErrNoTx) {
		return s.db, nil
	}
	return tx, err
}

// change returns how many rows it changes.
func (s *store) change(ctx context.Context, query string, args ...any) (int64, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return 0, err
	}
	result, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *store) addCustomer(ctx context.Context, id string) error {
	_, err := s.change(ctx, "INSERT INTO customers VALUES (?) ON CONFLICT DO NOTHING", id)
	return err
}

func (s *store) insert(ctx context.Context, o Order) error {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	var known int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM customers WHERE id = ?", o.User).Scan(&known); err != nil {
		return err
	}
	if known == 0 {
		return fmt.Errorf("%s: %w", o.User, ErrCustomer)
	}
	items, err := json.Marshal(o.Items)
	if err != nil {
		return err
	}
	n, err := s.change(ctx, "INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", o.ID, o.User, string(items), o.Total, o.State)
	if err == nil && n == 0 {
		err = ErrExists
	}
	return err
}

func (s *store) find(ctx context.Context, id string) (Order, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return Order{}, err
	}
	o := Order{ID: id}
	var items string
	err = c.QueryRowContext(ctx, "SELECT customer, items, total, state FROM orders WHERE id = ?", id).Scan(&o.User, &items, &o.Total, &o.State)
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, ErrUnknown
	}
	if err == nil {
		err = json.Unmarshal([]byte(items), &o.Items)
	}
	if err != nil {
		return Order{}, fmt.Errorf("find %s: %w", id, err)
	}
	return o, nil
}

// move brings an order from one state to the next and returns it.
func (s *store) move(ctx context.Context, id string, from, to State) (Order, error) {
	n, err := s.change(ctx, "UPDATE orders SET state = ? WHERE id = ? AND state = ?", to, id, from)
	if err != nil {
		return Order{}, err
	}
	o, err := s.find(ctx, id)
	if err == nil && n == 0 {
		return Order{}, fmt.Errorf("%w: %s, not %s", ErrState, o.State, from)
	}
	return o, err
}

func (s *store) remove(ctx context.Context, id string) error {
	_, err := s.change(ctx, "DELETE FROM orders WHERE id = ?", id)
	return err
}

func (s *store) countByState(ctx context.Context) (map[State]int, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.QueryContext(ctx, "SELECT state, count(*) FROM orders GROUP BY state")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	n := make(map[State]int)
	for rows.Next() {
		var state State
		var count int
		if err := rows.Scan(&state, &count); err != nil {
			return nil, err
		}
		n[state] = count
	}
	return n, rows.Err()
}
