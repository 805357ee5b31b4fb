package user

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"example.com/eventbus/txn"
)

const schema = `CREATE TABLE IF NOT EXISTS users (
	id     TEXT PRIMARY KEY,
	name   TEXT NOT NULL,
	email  TEXT NOT NULL,
	points INTEGER NOT NULL
)`

// store keeps the users in SQLite, within the caller's transaction where there
// is one.
type store struct{ db *sql.DB }

// conn is what a *sql.DB and a *sql.Tx have in common.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *store) conn(ctx context.Context) (conn, error) {
	tx, err := txn.From[*sql.Tx](ctx)
	if errors.Is(err, txn.ErrNoTx) {
		return s.db, nil
	}
	return tx, err
}

func (s *store) insert(ctx context.Context, u User) error {
	return s.change(ctx, ErrExists, "INSERT INTO users VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", u.ID, u.Name, u.Email, u.Points)
}

func (s *store) addPoints(ctx context.Context, id string, n int) error {
	return s.change(ctx, ErrUnknown, "UPDATE users SET points = points + ? WHERE id = ?", n, id)
}

// change returns errNone where no row is changed.
func (s *store) change(ctx context.Context, errNone error, query string, args ...any) error {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	result, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errNone)
	}
	return nil
}

func (s *store) find(ctx context.Context, id string) (User, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return User{}, err
	}
	u := User{ID: id}
	err = c.QueryRowContext(ctx, "SELECT name, email, points FROM users WHERE id = ?", id).Scan(&u.Name, &u.Email, &u.Points)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrUnknown
	}
	if err != nil {
		return User{}, fmt.Errorf("find %s: %w", id, err)
	}
	return u, nil
}

func (s *store) count(ctx context.Context) (int, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return 0, err
	}
	var n int
	err = c.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n)
	return n, err
}
