package eventbustest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/eventbus"
	"example.com/eventbus/eventbustest"
	"example.com/eventbus/txn"
)

// signUp is the code under test.
func signUp(ctx context.Context, bus *eventbus.Bus, name string) error {
	return bus.Call(ctx, eventbus.MustData("user", "created", user{7, name}))
}

// printed stands in for the *testing.T of a test, so that the example can show its report.
type printed struct{ testing.TB }

func (printed) Helper() {}
func (printed) Errorf(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Println(oneLine(line)) // go-cmp's space varies
	}
}

func ExampleExpect() {
	bus := new(eventbus.Bus)
	rec := eventbustest.Record(bus)
	if err := signUp(context.Background(), bus, "Ada"); err != nil {
		fmt.Println(err)
	}

	t := printed{} // the test's *testing.T
	eventbustest.Expect[user](t, rec, "user", "created").Exactly(user{7, "Ada"})
	eventbustest.Expect[user](t, rec, "user", "deleted").None()
	eventbustest.Expect[user](t, rec, "user", "created").Exactly(user{7, "Eve"})
	// Output:
	// eventbustest: user/created: want exactly these, in any order (-want +got):
	// []eventbustest_test.user{
	// {
	// ID: 7,
	// - Name: "Eve",
	// + Name: "Ada",
	// },
	// }
	//
	// recorded, in this order:
	// user/created {"ID":7,"Name":"Ada"}
}

func ExampleFake() {
	bus := new(eventbus.Bus)
	var mailer eventbustest.Fake
	bus.Register("user", "created", mailer.Handle)

	mailer.Fail(errors.New("server is busy"), nil) // once, then it works
	fmt.Println(signUp(context.Background(), bus, "Ada"))
	fmt.Println(signUp(context.Background(), bus, "Ada"))
	fmt.Println(len(mailer.Events()), "mails tried")
	// Output:
	// user/created: handler eventbustest.(*Fake).Handle: server is busy
	// <nil>
	// 2 mails tried
}

// The mail would go out with the commit; the test sees that and leaves no trace.
func ExampleRollBack() {
	db := sql.OpenDB(new(database)) // the test's database
	bus := new(eventbus.Bus)
	var mailer eventbustest.Fake
	bus.Register("user", "created", mailer.Handle, txn.AfterCommit())

	late, err := eventbustest.RollBack(context.Background(), db, func(ctx context.Context) error {
		return signUp(ctx, bus, "Ada")
	})
	for _, r := range late {
		fmt.Println(r.Handler.Name, "would have run for", r.Data)
	}
	fmt.Println(len(mailer.Events()), "mails tried, errors", err, db.Close())
	// Output:
	// eventbustest.(*Fake).Handle would have run for user/created
	// 0 mails tried, errors <nil> <nil>
}
