package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lockProgram is a program with one event, user/created, made with the fields
// given and read by a handler with others.
func lockProgram(writes, reads, more string) string {
	return `package main

import (
	"context"
	"encoding/json"
	"time"

	"m.test/eventbus"
)

var (
	_ json.RawMessage
	_ time.Time
)

type Created struct {
` + writes + `
}

type welcome struct {
` + reads + `
}

func greet(ctx context.Context, w welcome) error { return nil }

func main() {
	bus := eventbus.New(nil)
	eventbus.On(bus, "user", "created", greet)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Created{}))
` + more + `
}
`
}

func rewrite(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Each kind of change is an error, a warning or a line on standard error.
func TestLockChanges(t *testing.T) {
	t.Setenv("GOWORK", "off")
	const at = "main.go:29:40: "
	const accept = "; put it back, or accept it with eventbus lock [lock]\n"
	const reads, nobody = "; shop.greet reads it", "; nobody here reads it, but others may, behind a queue or a broker"
	tests := []struct {
		name         string
		was, is      string // fields that are written
		read         string // fields that are read, before and after
		moreWas, now string
		errs         int
		out          string // on standard output
		fine         string // in the summary
	}{
		{name: "nothing", was: "ID int", is: "ID int"},
		{name: "a field is added", was: "ID int", is: "ID int; Name string", fine: `user/created: "Name" is new`},
		{name: "an object is added with its fields", was: "ID int", is: "ID int; At struct{ City string }", fine: `1 change that nobody breaks by: user/created: "At" is new.`},
		{name: "a field that nobody reads is gone", was: "ID int; Name string", is: "ID int", errs: 1, out: at + `user/created: "Name" is not written any more` + nobody + accept},
		{name: "a nested field is gone", was: "At []struct{ City, Zip string }", is: "At []struct{ Zip string }", errs: 1, out: at + `user/created: "At[].City" is not written any more` + nobody + accept},
		{name: "an object is gone, with its fields", was: "ID int; At struct{ City, Zip string }", is: "ID int", errs: 1, out: at + `user/created: "At" is not written any more` + nobody + accept},
		{name: "an optional field is gone", was: "ID int; Name string `json:\",omitempty\"`", is: "ID int", errs: 1, out: at + `user/created: "Name" is not written any more` + nobody + accept},
		{name: "the kind changed", was: "ID int", is: "ID string", errs: 1, out: at + `user/created: "ID" was int64, and is string` + nobody + accept},
		{name: "a value became a list", was: "Name string", is: "Name []string", errs: 1, out: at + `user/created: "Name" was string, and is array` + nobody + accept},
		{name: "the elements' kind changed", was: "Tags []string", is: "Tags []int", errs: 1, out: at + `user/created: "Tags[]" was string, and is int64` + nobody + accept},
		{name: "a map's values changed", was: "Tags map[string]string", is: "Tags map[string]int", errs: 1, out: at + `user/created: "Tags.*" was string, and is int64` + nobody + accept},
		{name: "a number in a string", was: "ID int", is: "ID int `json:\",string\"`", errs: 1, out: at + `user/created: "ID" was int64, and is int64 in string` + nobody + accept},
		{name: "required became optional", was: "ID int", is: "ID int `json:\",omitempty\"`", out: at + `warning: user/created: "ID" was int64, and is int64, optional` + nobody + accept},
		{name: "optional became required", was: "ID int `json:\",omitempty\"`", is: "ID int", fine: `"ID" was int64, optional, and is int64`},
		{name: "an embedded pointer", was: "inner", is: "*inner", out: at + `warning: user/created: "X" was int64, and is int64, optional` + nobody + accept},
		{name: "a pointer", was: "ID int", is: "ID *int"},
		{name: "a wider number", was: "ID int32", is: "ID int64", out: at + `warning: user/created: "ID" was int32, and is int64` + nobody + accept},
		{name: "a narrower number", was: "ID int64", is: "ID int32", fine: `"ID" was int64, and is int32`},
		{name: "an integer became a fraction", was: "ID int", is: "ID float64", out: at + `warning: user/created: "ID" was int64, and is float64` + nobody + accept},
		{name: "a time became a text", was: "At time.Time", is: "At string", out: at + `warning: user/created: "At" was time, and is string` + nobody + accept},
		{name: "a text became a time", was: "At string", is: "At time.Time", fine: `"At" was string, and is time`},
		{name: "bytes became a text", was: "At []byte", is: "At string", out: at + `warning: user/created: "At" was base64, and is string` + nobody + accept},
		{name: "known became anything", was: "ID int", is: "ID any", out: at + `warning: user/created: "ID" was int64, and is anything` + nobody + accept},
		{name: "anything became known", was: "ID any", is: "ID int", fine: `"ID" was anything, and is int64`},
		{name: "a struct became a map", was: "At struct{ City string }", is: "At map[string]string", out: at + `warning: user/created: "At.City" can't be seen to be written any more` + nobody + accept, fine: `"At.*" is new`},
		{name: "another case", was: "ID int", is: "ID int `json:\"id\"`", out: at + `warning: user/created: "ID" is written as "id" now, which Go reads all the same and others may not` + nobody + accept,
			fine: `user/created: "id" is new`},
		{name: "an order of fields", was: "A, B int", is: "B, A int"},
		{name: "an odd name", was: "A int `json:\"a.b[]\"`", is: "A string `json:\"a.b[]\"`", errs: 1, out: at + `user/created: "\"a.b[]\"" was int64, and is string` + nobody + accept},
		{name: "a second maker that leaves a field out", was: "ID int", is: "ID int", now: `_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", struct{ Other int }{}))`,
			out: `main.go:30:39: warning: user/created: "ID" was int64, and is int64, optional` + nobody + accept, fine: `"Other" is new`},
		{name: "a second maker without payload", was: "ID int", is: "ID int", now: `_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))`,
			out: `main.go:30:39: warning: user/created: "ID" was int64, and is int64, optional` + reads + accept +
				`main.go:30:39: warning: user/created: the payload was object, and is none or object` + reads + accept, read: "ID int"},
		{name: "a new event", was: "ID int", is: "ID int", now: `bus.Register("user", "left", nil); _ = bus.Publish(context.Background(), eventbus.MustData("user", "left", nil))`, fine: "user/left: it is new"},
		{name: "an event is gone", was: "ID int", is: "ID int", moreWas: `bus.Register("stock", "*", nil); _ = bus.Publish(context.Background(), eventbus.MustData("stock", "low", nil))`, errs: 1,
			out: "lock.json:4:1: stock/low: nothing makes it any more; nobody here handles it, but others may, behind a queue or a broker" + accept},
		{name: "an event may be made out of sight", was: "ID int", is: "ID int", moreWas: `bus.Register("stock", "*", nil); _ = bus.Publish(context.Background(), eventbus.MustData("stock", "low", nil))`,
			now: `_ = bus.Publish(context.Background(), eventbus.MustData("stock", time.Now().String(), nil))`,
			out: "lock.json:4:1: warning: stock/low: nothing is seen to make it any more; nobody here handles it, but others may, behind a queue or a broker" + accept},
		{name: "a handler more", was: "ID int", is: "ID int", now: `eventbus.On(bus, "user", "created", func(ctx context.Context, v struct{ ID int }) error { return nil })`,
			fine: "user/created: shop.main.func1 handles it now"},
		{name: "made elsewhere, and read as another kind", moreWas: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID int }) error { return nil })`,
			now: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID string }) error { return nil })`, errs: 1,
			out: `main.go:30:1: bank/paid: "ID" was read as int64, and shop.main.func1 reads string; it is made elsewhere` + accept},
		{name: "made elsewhere, and asked for more", moreWas: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID int }) error { return nil })`,
			now: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID, Sum int }) error { return nil })`,
			out: `main.go:30:1: warning: bank/paid: shop.main.func1 reads "Sum", which was not asked for of those who make it elsewhere` + accept},
		{name: "made elsewhere, and asked for less", moreWas: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID, Sum int }) error { return nil })`,
			now: `eventbus.On(bus, "bank", "paid", func(ctx context.Context, v struct{ ID int }) error { return nil })`},
	}
	// All are loaded at once, which is what takes long.
	const inner = "\ntype inner struct{ X int }\n"
	was, is := map[string]string{}, map[string]string{}
	for i, tt := range tests {
		was["case"+itoa(i)+"/main.go"] = lockProgram(tt.was, tt.read, tt.moreWas) + inner
		is["case"+itoa(i)+"/main.go"] = lockProgram(tt.is, tt.read, tt.now) + inner
	}
	before, after := loadTree(t, was), loadTree(t, is)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := "case" + itoa(i)
			lock := func(s *source) {
				var b bytes.Buffer
				if err := newLock(only(s, dir).contracts()).write(&b); err != nil {
					t.Fatal(err)
				}
				rewrite(t, after.dir, "lock.json", b.String())
			}
			check := func() (out string, errs int, fine string) {
				a := only(after, dir)
				harmless, err := a.checkLock("lock.json")
				if err != nil {
					t.Fatal(err)
				}
				if len(harmless) > 0 {
					fine = lockSummary("lock.json", harmless)
				}
				for _, f := range a.run(map[string]bool{"lock": true}) {
					out += f.String() + "\n"
					if !f.Warning {
						errs++
					}
				}
				names := strings.NewReplacer(dir+"/", "", dir+".", "shop.")
				return names.Replace(out), errs, names.Replace(fine)
			}
			lock(before)
			out, errs, fine := check()
			if diff := cmp.Diff(tt.out, out); diff != "" || errs != tt.errs {
				t.Errorf("%d errors, want %d; output, -want +got:\n%s", errs, tt.errs, diff)
			}
			if tt.fine == "" && fine != "" || !strings.Contains(fine, tt.fine) {
				t.Errorf("the summary is %q, want %q", fine, tt.fine)
			}
			lock(after)
			if out, _, fine := check(); out != "" || fine != "" {
				t.Errorf("after eventbus lock there is still %s%s", out, fine)
			}
		})
	}
}

// loadTree loads a module with a bus and files.
func loadTree(t *testing.T, files map[string]string) *source {
	t.Helper()
	s, err := load(t.Context(), tree(t, withBus(t, files)), "", []string{"./..."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.broken) > 0 {
		t.Fatalf("the programs must compile: %v", s.broken)
	}
	return s
}

// only analyzes the program in one folder of s.
func only(s *source, dir string) *model {
	one := *s
	one.named = map[string]bool{"m.test/" + dir: true}
	return analyze(&one)
}

// -lock with the command line: errors set the exit status, what is fine goes to
// standard error.
func TestCheckLock(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("ID int", "", "")}))
	if status, _, errs := runIn(t, dir, "lock"); status != 0 || errs != "eventbus: wrote eventbus.lock.json: 1 event\n" {
		t.Fatalf("lock: status %d, %s", status, errs)
	}
	for _, tt := range []struct {
		name, writes, flag string
		status             int
		out, errs          string
	}{
		{"nothing changed", "ID int", "-lock", 0, "", "eventbus: 1 event, 1 handler: nothing wrong\n"},
		{"fine", "ID int; Name string", "-lock", 0, "", "eventbus: 1 event, 1 handler: nothing wrong\neventbus: eventbus.lock.json: 1 change that nobody breaks by: user/created: \"Name\" is new. eventbus lock takes them in\n"},
		{"a warning", "ID float64", "-lock", 0, "warning: user/created: \"ID\" was int64", ""},
		{"a warning that is an error", "ID float64", "-lock=eventbus.lock.json -strict", 1, ":40: user/created: \"ID\" was int64", ""},
		{"an error", "ID string", "-lock", 1, "user/created: \"ID\" was int64", "1 error"},
		{"as JSON", "ID string", "-lock -json", 1, "\"check\": \"lock\"", "1 error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rewrite(t, dir, "main.go", lockProgram(tt.writes, "", ""))
			status, out, errs := runIn(t, dir, append([]string{"check"}, strings.Fields(tt.flag)...)...)
			if status != tt.status || !strings.Contains(out, tt.out) || (tt.out == "") != (out == "") || !strings.Contains(errs, tt.errs) {
				t.Errorf("status %d, want %d\n%s\n%s", status, tt.status, out, errs)
			}
		})
	}
}

// The check names those who read what changed.
func TestLockNamesReaders(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("ID int; Name string", "Name string", "")}))
	if status, _, errs := runIn(t, dir, "lock"); status != 0 {
		t.Fatal(errs)
	}
	for _, tt := range []struct{ name, writes, reads, want string }{
		{"still", "ID int", "Name string", "greet reads it; put"},
		{"no more", "ID int", "ID int", "greet read it when the lock file was written; put"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rewrite(t, dir, "main.go", lockProgram(tt.writes, tt.reads, ""))
			if _, out, _ := runIn(t, dir, "check", "-lock"); !strings.Contains(out, tt.want) {
				t.Errorf("the check says %q, want %q", out, tt.want)
			}
		})
	}
}

func TestLockFileGolden(t *testing.T) {
	dir := asyncProgram(t)
	status, out, errs := runIn(t, dir, "lock", "-o", "-", "./shop")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	file := "testdata/lock/golden.json"
	if *update {
		rewrite(t, ".", file, out)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("the lock file is not the golden one, -want +got (go test -run Golden -update writes it anew):\n%s", diff)
	}
	l, err := parseLock([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Events["order/placed"].Produced[".tree.children[].name"].String(); got != "" {
		t.Errorf("a type that holds itself is followed: %s", got)
	}
	for path, want := range map[string]string{
		".": "object", ".id": "string", ".at": "time", ".street": "string, optional", ".Items[].sku": "string", ".prices.*": "int64", ".big": "int64 in string",
		".photo": "base64", ".Raw": "anything", ".Number": "number", ".tree.children[]": "object", ".worst": "object, optional", ".right": "uint16", ".page.of[].price": "int64",
	} {
		if got := l.Events["order/placed"].Produced[path].String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// A lock file that can't be used gives one line, and exit status 2.
func TestBadLockFile(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("ID int", "ID int", "")}))
	for _, tt := range []struct{ name, content, says string }{
		{"missing", "", "there is no lock file eventbus.lock.json; write one with eventbus lock"},
		{"empty", " ", "is broken: it is empty; restore it"},
		{"no JSON", "hello", "line 1: invalid character 'h'"},
		{"a merge conflict", "{\n  \"version\": 1,\n<<<<<<< HEAD\n", "is broken: line 3: invalid character '<'"},
		{"cut off", "{\n  \"version\": 1,\n", "line 3: unexpected end"},
		{"more after the end", `{"version":1,"events":{}}{}`, "line 1: invalid character '{' after top-level value"},
		{"no version", `{"events":{}}`, "it gives no version"},
		{"no events", `{"version":1}`, "it has no events"},
		{"newer", `{"version":2,"events":[],"more":1}`, "has version 2, and this eventbus knows versions up to 1; install a newer eventbus"},
		{"an unknown field", `{"version":1,"evnets":{}}`, `unknown field "evnets"`},
		{"another shape", "{\n\"version\":1,\n\"events\":{\"a/b\":{\"produced\":[]}}}", "line 3: a JSON array where none belongs"},
		{"an unknown kind", `{"version":1,"events":{"a/b":{"produced":{".":"text"}}}}`, `"text" is no kind`},
		{"no whole", "{\"version\":1,\n\"events\":{\n\"a/b\":{\"produced\":{\".x\":\"string\"}}}}", `line 3: event "a/b": the kind of the whole payload`},
		{"a part of nothing", `{"version":1,"events":{"a/b":{"consumed":{"h":{".":"object",".x.y":"string"}}}}}`, `".x.y" is there without ".x"`},
		{"no path", `{"version":1,"events":{"a/b":{"produced":{".":"object","x":"string"}}}}`, `"x" is no path`},
		{"null", `{"version":1,"events":{"a/b":null}}`, `event "a/b" is null`},
		{"a null kind", `{"version":1,"events":{"a/b":{"produced":{".":null}}}}`, `"." has no kind`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.content != "" {
				rewrite(t, dir, lockName, tt.content)
			}
			status, out, errs := runIn(t, dir, "check", "-lock")
			if status != 2 || out != "" || !strings.Contains(errs, tt.says) || strings.Count(errs, "\n") != 1 {
				t.Errorf("status %d, output %q, error %q; want 2, none, and one line with %q", status, out, errs, tt.says)
			}
		})
	}
	if status, _, errs := runIn(t, dir, "check", "-lock=other.json"); status != 2 || !strings.Contains(errs, "there is no lock file other.json") {
		t.Errorf("-lock=other.json: status %d, %s", status, errs)
	}
	if status, _, _ := runIn(t, dir, "check"); status != 0 {
		t.Error("without -lock the lock file matters")
	}
	if status, _, _ := runIn(t, dir, "check", "-lock", "-off", "lock"); status != 0 {
		t.Error("-off lock doesn't switch it off")
	}
}

func TestLockWrites(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("ID int", "ID int", "")}))
	newer := `{"version": 9}`
	rewrite(t, dir, lockName, newer)
	if status, _, errs := runIn(t, dir, "lock"); status != 2 || !strings.Contains(errs, "install a newer eventbus") {
		t.Errorf("over a newer file: status %d, %s", status, errs)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, lockName)); string(got) != newer {
		t.Errorf("a newer file was written over: %s", got)
	}
	rewrite(t, dir, lockName, "<<<<<<< HEAD")
	if status, _, errs := runIn(t, dir, "lock"); status != 0 || !strings.Contains(errs, "wrote eventbus.lock.json: 1 event") {
		t.Errorf("over a broken file: status %d, %s", status, errs)
	}
	if status, _, errs := runIn(t, dir, "lock", "-o", "no/where.json"); status != 2 || !strings.Contains(errs, "no/where.json can't be written") {
		t.Errorf("to no folder: status %d, %s", status, errs)
	}
	before, _ := os.ReadFile(filepath.Join(dir, lockName))
	rewrite(t, dir, "main.go", lockProgram("ID int", "ID int", "undefined()"))
	if status, _, _ := runIn(t, dir, "lock"); status != 2 {
		t.Errorf("of a program that doesn't compile: status %d", status)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, lockName)); !bytes.Equal(before, after) {
		t.Error("the contracts of a program that doesn't compile were written")
	}
}

// A comment silences the check at the producer's place.
func TestLockIgnored(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("ID int", "", "")}))
	if status, _, errs := runIn(t, dir, "lock"); status != 0 {
		t.Fatal(errs)
	}
	ignored := strings.Replace(lockProgram("ID string", "", ""), "\t_ = bus.Publish", "\t//eventbus:ignore lock the app is updated first\n\t_ = bus.Publish", 1)
	rewrite(t, dir, "main.go", ignored)
	if status, out, _ := runIn(t, dir, "check", "-lock"); status != 0 || out != "" {
		t.Errorf("status %d, %s", status, out)
	}
	if status, out, _ := runIn(t, dir, "check"); status != 0 || out != "" {
		t.Errorf("without -lock the comment is stale: status %d, %s", status, out)
	}
}

// Types that hold each other are compared and locked in bounded time.
func TestTypesThatHoldEachOther(t *testing.T) {
	t.Setenv("GOWORK", "off")
	var types strings.Builder
	const n = 24
	for i := range n {
		types.WriteString("\ntype T" + itoa(i) + " struct {\n")
		for j := range n {
			types.WriteString("\tF" + itoa(j) + " *T" + itoa(j) + "\n")
		}
		types.WriteString("}\n")
	}
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("Root *T0", "Root *T0; Missing int", "") + types.String()}))
	if status, _, errs := runIn(t, dir, "lock"); status != 0 {
		t.Fatalf("lock: status %d, %s", status, errs)
	}
	status, out, _ := runIn(t, dir, "check", "-lock")
	if want := `reads "Missing", which nobody writes`; status != 1 || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d, %s; want one line with %q", status, out, want)
	}
}

// A consumer that reads a field of a type that holds itself finds it there.
func TestTypeThatHoldsItself(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"main.go": lockProgram("Root Tree", "Root struct{ Up struct { Up struct { Name string } } }", "") + "\ntype Tree struct {\n\tUp *Tree\n\tName string\n}\n"}))
	if status, out, errs := runIn(t, dir, "check"); status != 0 || out != "" {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
}

func TestLockedPaths(t *testing.T) {
	for path, want := range map[string]string{
		".": ".", ".a": ".", ".a.b": ".a", ".a[]": ".a", ".a[][]": ".a[]", ".a[].b": ".a[]", ".[]": ".", ".[].a": ".[]", ".*": ".", ".a.*": ".a", `."a.b"`: ".", `."a.b".c`: `."a.b"`, `.a."*"`: ".a",
	} {
		if got, ok := lockedParent(path); !ok || got != want {
			t.Errorf("the parent of %s is %s, %t; want %s", path, got, ok, want)
		}
	}
	for _, path := range []string{"", "a", "..", ".a.", "[]", ".a]", `."a`, ".a[", `.a"b"`} {
		if got, ok := lockedParent(path); ok {
			t.Errorf("%q is taken for a path, in %s", path, got)
		}
	}
	for _, field := range []string{"a", "", "a.b", "*", "[]", `"`, "é", "a b", "\x00"} {
		for _, base := range []string{".", ".x", ".x[]"} {
			path := lockedPath(base, field)
			if parent, ok := lockedParent(path); !ok || parent != base {
				t.Errorf("the field %q of %s is %s, whose parent is %s, %t", field, base, path, parent, ok)
			}
		}
	}
}

// Whatever a lock file holds, reading it ends in a file that says the same when
// it is written, or in an error of one line.
func FuzzParseLock(f *testing.F) {
	golden, err := os.ReadFile("testdata/lock/golden.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	for _, s := range []string{"", "{}", `{"version":2}`, `{"version":1,"events":{}}`, `{"version":1,"events":{"a/b":{"produced":{".":"none or int8, optional"}}}}`,
		`{"version":1,"events":{"a/b":{"consumed":{"h":{".":"object",".x":"array",".x[]":"int64 in string",".\"y.\"":"time"}}}}}`, "{\"version\":1,\n<<<<<<<"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLock(data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("the error has several lines: %q", err)
			}
			if _, newer := errors.AsType[*newerError](err); newer && !strings.Contains(err.Error(), "newer") {
				t.Errorf("the error of a newer file is %q", err)
			}
			return
		}
		var b bytes.Buffer
		if err := l.write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := parseLock(b.Bytes())
		if err != nil {
			t.Fatalf("what was read can't be read again: %v\n%s", err, &b)
		}
		l.lines, again.lines = nil, nil
		if diff := cmp.Diff(l, again, cmp.AllowUnexported(lockFile{}, lockedKind{})); diff != "" {
			t.Errorf("it is another when it is read again:\n%s", diff)
		}
		for _, e := range l.Events {
			for _, ch := range compareLocked(e.Produced, e.Produced) {
				t.Errorf("it differs from itself: %v", ch)
			}
			if shape := e.Produced; shape != nil && !slices.ContainsFunc(compareLocked(shape, lockedShape{".": {kinds: []string{"unsupported"}}}), func(c change) bool { return c.how > harmless }) &&
				!slices.ContainsFunc(shape["."].kinds, func(k string) bool { return k == kindNone || k == kindAnything || k == "unsupported" }) {
				t.Errorf("a payload of no kind breaks nobody who reads %v", shape["."])
			}
		}
	})
}
