package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"

	"example.com/eventbus/examples/shop/order"
)

// maxLine is how long a line may be, in bytes without its end.
const maxLine = 64 << 10

// line is a command, or what is wrong with it.
type line struct {
	number  int // from 1, blank lines included
	command command
	err     error
}

// lines returns the lines of r that aren't blank. A line that is wrong doesn't
// end them; if reading fails, the last one comes with an error.
func lines(r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		in := bufio.NewReaderSize(r, maxLine+len("\r\n"))
		for number := 1; ; number++ {
			text, more, err := in.ReadLine()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(line{}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			l := line{number: number}
			if more || len(text) > maxLine {
				l.err = fmt.Errorf("the line is longer than %d bytes", maxLine)
			} else if len(bytes.TrimSpace(text)) == 0 {
				continue
			} else {
				l.command, l.err = parse(text)
			}
			for more && err == nil {
				_, more, err = in.ReadLine()
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// command is what a line says: it can be run, and its String is a line of the
// report.
type command interface {
	check() error
	run(context.Context, *shop) error
	fmt.Stringer
}

// commands makes a command of each kind, to decode a line into.
var commands = map[string]func() command{
	"sign-up": func() command { return new(signUp) },
	"order":   func() command { return new(placeOrder) },
	"ship":    func() command { return new(ship) },
	"cancel":  func() command { return new(cancel) },
}

func parse(text []byte) (command, error) {
	var kind struct {
		Do string `json:"do"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return nil, explain(err)
	}
	if kind.Do == "" {
		return nil, missing("do")
	}
	newCommand, ok := commands[kind.Do]
	if !ok {
		return nil, fmt.Errorf("unknown command %.40q, want one of %s", kind.Do, strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	c := newCommand()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil {
		return nil, explain(err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// explain puts an error of encoding/json in words of the input.
func explain(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "the line"
		if e.Field != "" {
			what = fmt.Sprintf("field %.40q", e.Field)
		}
		return fmt.Errorf("%s is a JSON %.40s, want %s", what, e.Value, kinds[e.Type.Kind().String()])
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON: %w at byte %d", err, e.Offset)
	}
	return fmt.Errorf("%.100s", strings.TrimPrefix(err.Error(), "json: "))
}

// kinds says in words of JSON what a Go kind is read from.
var kinds = map[string]string{"struct": "an object", "slice": "an array", "string": "a string", "int": "a whole number"}

type signUp struct {
	Do    string `json:"do"`
	User  string `json:"user"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (c *signUp) check() error { return cmp.Or(id("user", c.User), email("email", c.Email)) }

func (c *signUp) run(ctx context.Context, s *shop) error {
	return s.users.SignUp(ctx, c.User, c.Name, c.Email)
}

func (c *signUp) String() string { return "sign up " + c.User }

type placeOrder struct {
	Do    string       `json:"do"`
	Order string       `json:"order"`
	User  string       `json:"user"`
	Card  string       `json:"card"`
	Items []order.Item `json:"items"`
}

func (c *placeOrder) check() error {
	err := cmp.Or(id("order", c.Order), id("user", c.User), id("card", c.Card))
	if err == nil && len(c.Items) == 0 {
		err = missing("items")
	}
	for _, it := range c.Items {
		err = cmp.Or(err, id("items.sku", it.SKU), quantity("items.quantity", it.Quantity))
	}
	return err
}

func (c *placeOrder) run(ctx context.Context, s *shop) error {
	return s.orders.Place(ctx, order.Request{ID: c.Order, User: c.User, Card: c.Card, Items: c.Items})
}

func (c *placeOrder) String() string {
	var items []string
	for _, it := range c.Items {
		items = append(items, fmt.Sprintf("%d × %s", it.Quantity, it.SKU))
	}
	return fmt.Sprintf("order %s: %s for %s", c.Order, strings.Join(items, ", "), c.User)
}

type ship struct {
	Do    string `json:"do"`
	Order string `json:"order"`
}

func (c *ship) check() error                           { return id("order", c.Order) }
func (c *ship) run(ctx context.Context, s *shop) error { return s.orders.Ship(ctx, c.Order) }
func (c *ship) String() string                         { return "ship " + c.Order }

type cancel struct {
	Do    string `json:"do"`
	Order string `json:"order"`
}

func (c *cancel) check() error                           { return id("order", c.Order) }
func (c *cancel) run(ctx context.Context, s *shop) error { return s.orders.Cancel(ctx, c.Order) }
func (c *cancel) String() string                         { return "cancel " + c.Order }

var ids = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

func id(field, value string) error {
	if value == "" {
		return missing(field)
	}
	if !ids.MatchString(value) {
		return fmt.Errorf("field %q is %.40q, want up to 32 letters, digits and any of . _ -", field, value)
	}
	return nil
}

func email(field, value string) error {
	if value == "" {
		return missing(field)
	}
	if a, err := netmail.ParseAddress(value); err != nil || a.Address != value {
		return fmt.Errorf("field %q is %.40q, want a mail address", field, value)
	}
	return nil
}

func quantity(field string, value int) error {
	if value == 0 {
		return fmt.Errorf("field %q is missing or 0, want 1 to 1000", field)
	}
	if value < 1 || value > 1000 {
		return fmt.Errorf("field %q is %d, want 1 to 1000", field, value)
	}
	return nil
}

func missing(field string) error { return fmt.Errorf("field %q is missing or empty", field) }
