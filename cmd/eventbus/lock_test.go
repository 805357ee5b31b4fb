package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const locked = `package main

import (
	"context"

	"m.test/eventbus"
)

type Created struct {
	ID   string
	Tags []string
	Home struct{ Zip int }
}

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	bus.Register("user", "gone", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Created{}))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "gone", nil))
}
`

func TestLock(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": locked}))
	if status, _, errs := runIn(t, dir, "check", "-lock", lockName); status != 2 || !strings.Contains(errs, "there is no lock file") {
		t.Errorf("without a lock file: status %d, %s", status, errs)
	}
	if status, _, errs := runIn(t, dir, "lock"); status != 0 {
		t.Fatalf("lock: status %d, %s", status, errs)
	}
	if status, out, errs := runIn(t, dir, "check", "-lock", lockName); status != 0 || out != "" {
		t.Errorf("nothing changed: status %d, %s%s", status, out, errs)
	}
	changed := strings.NewReplacer("ID   string", "ID   int\n\tNew  bool", "Tags []string\n", "", "Zip int", "Zip string", `MustData("user", "gone"`, `MustData("user", "left"`,
		`Register("user", "gone"`, `Register("user", "left"`).Replace(locked)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(changed), 0o666); err != nil {
		t.Fatal(err)
	}
	status, out, _ := runIn(t, dir, "check", "-lock", lockName)
	want := `eventbus.lock:1:1: user/created: the field "Home.Zip" was number, and is string, which breaks who reads it; restore it, or accept it with eventbus lock [lock]
eventbus.lock:1:1: user/created: the field "ID" was string, and is number, which breaks who reads it; restore it, or accept it with eventbus lock [lock]
eventbus.lock:1:1: warning: user/created: the field "New" is new, which breaks nobody; accept it with eventbus lock [lock]
eventbus.lock:1:1: user/created: the field "Tags" is no longer written, which breaks who reads it; restore it, or accept it with eventbus lock [lock]
eventbus.lock:1:1: user/created: the field "Tags[]" is no longer written, which breaks who reads it; restore it, or accept it with eventbus lock [lock]
eventbus.lock:1:1: user/gone: nothing makes the event any more, which breaks who reads it; restore it, or accept it with eventbus lock [lock]
eventbus.lock:1:1: warning: user/left: the event is new, which breaks nobody; accept it with eventbus lock [lock]
`
	if diff := cmp.Diff(want, out); diff != "" || status != 1 {
		t.Errorf("status %d, output (-want +got):\n%s", status, diff)
	}
	for _, broken := range []string{"", "{", `{"version":1,"events":{}} x`, `{"version":9,"events":{}}`, `{"version":1,"event":{}}`, "<<<<<<< HEAD"} {
		if err := os.WriteFile(filepath.Join(dir, lockName), []byte(broken), 0o666); err != nil {
			t.Fatal(err)
		}
		if status, _, errs := runIn(t, dir, "check", "-lock", lockName); status != 2 || !strings.Contains(errs, "is broken") {
			t.Errorf("lock file %q: status %d, %s", broken, status, errs)
		}
	}
}

// FuzzParseLock checks that what is read can be written and read again, and is
// then no change.
func FuzzParseLock(f *testing.F) {
	f.Add([]byte(`{"version":1,"events":{"user/created":{"":"object","id":"string"}}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"events":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLock(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseLock(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if cs := changes(l, m); len(cs) > 0 {
			t.Errorf("a lock file differs from itself: %v", cs)
		}
	})
}
