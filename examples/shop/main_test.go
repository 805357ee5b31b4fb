package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/output.golden anew")

// In a synctest bubble no time passes, so that every duration is 0.0µs.
func TestOutputOfItsOwnCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, stdout, stderr := runShop(t, "")
		if status != 0 || stderr != "" {
			t.Errorf("exit status %d and standard error %q, want 0 and nothing: its own commands have no bad line", status, stderr)
		}
		golden := filepath.Join("testdata", "output.golden")
		if *update {
			if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), stdout); diff != "" {
			t.Errorf("output differs from %s (-want +got); if that is meant: go test -update\n%s", golden, diff)
		}
	})
}

func TestBadLines(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"no JSON", `sign-up`, `not JSON: invalid character 's' looking for beginning of value at byte 1`},
		{"truncated", `{"do": "ship", "order": "o-1"`, `not JSON: unexpected end of JSON input at byte 29`},
		{"trailing data", `{"do": "ship", "order": "o-1"} {}`, `not JSON: invalid character '{' after top-level value at byte 32`},
		{"no object", `["ship"]`, `the line is a JSON array, want an object`},
		{"null", `null`, `field "do" is missing or empty`},
		{"no command", `{"order": "o-1"}`, `field "do" is missing or empty`},
		{"command no string", `{"do": 7}`, `field "do" is a JSON number, want a string`},
		{"unknown command", `{"do": "refund", "order": "o-1"}`, `unknown command "refund", want one of cancel, order, ship, sign-up`},
		{"unknown field", `{"do": "ship", "order": "o-1", "by": "post"}`, `unknown field "by"`},
		{"missing user", `{"do": "sign-up", "email": "a@b.example"}`, `field "user" is missing or empty`},
		{"missing email", `{"do": "sign-up", "user": "bar"}`, `field "email" is missing or empty`},
		{"no email", `{"do": "sign-up", "user": "bar", "email": "b.example"}`, `field "email" is "b.example", want a mail address`},
		{"missing order", `{"do": "cancel"}`, `field "order" is missing or empty`},
		{"missing card", `{"do": "order", "order": "o-1", "user": "bar", "items": [{"sku": "mug", "quantity": 1}]}`, `field "card" is missing or empty`},
		{"missing items", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa"}`, `field "items" is missing or empty`},
		{"missing SKU", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa", "items": [{"quantity": 1}]}`, `field "items.sku" is missing or empty`},
		{"missing quantity", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa", "items": [{"sku": "mug"}]}`, `field "items.quantity" is missing or 0, want 1 to 1000`},
		{"quantity too small", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa", "items": [{"sku": "mug", "quantity": -1}]}`, `field "items.quantity" is -1, want 1 to 1000`},
		{"quantity too big", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa", "items": [{"sku": "mug", "quantity": 1001}]}`, `field "items.quantity" is 1001, want 1 to 1000`},
		{"quantity no int", `{"do": "order", "order": "o-1", "user": "bar", "card": "visa", "items": [{"sku": "mug", "quantity": 1.5}]}`, `field "items.quantity" is a JSON number 1.5, want a whole number`},
		{"control character", `{"do": "ship", "order": "\u001b[31m"}`, `field "order" is "\x1b[31m", want up to 32 letters, digits and any of . _ -`},
		{"just too long", strings.Repeat(" ", maxLine) + "x", `the line is longer than 65536 bytes`},
		{"far too long", strings.Repeat("x", 5*maxLine), `the line is longer than 65536 bytes`},
	}
	for _, tt := range tests {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(tt.name, func(t *testing.T) {
				status, stdout, stderr := runShop(t, strings.Join([]string{
					`{"do": "sign-up", "user": "before", "email": "a@mail.example"}`,
					"", tt.line,
					`{"do": "sign-up", "user": "after", "email": "b@mail.example"}`,
				}, end), "-")
				if want := "standard input:3: " + tt.want + "\n"; status != 1 || stderr != want {
					t.Errorf("exit status %d and standard error\n%swant 1 and\n%s", status, stderr, want)
				}
				for _, want := range []string{"line 1  sign up before\n", "line 4  sign up after\n", "done=2 refused=0 bad_lines=1\n"} {
					if !strings.Contains(stdout, want) {
						t.Errorf("the rest didn't go on: no %q in\n%s", want, stdout)
					}
				}
			})
		}
	}
}

func TestLongestLineIsFine(t *testing.T) {
	command := `{"do": "sign-up", "user": "cafe", "email": "a@mail.example"}`
	for _, end := range []string{"", "\n", "\r\n"} {
		status, _, stderr := runShop(t, command+strings.Repeat(" ", maxLine-len(command))+end, "-")
		if status != 0 {
			t.Errorf("a line of %d bytes and the end %q: exit status %d, %s", maxLine, end, status, stderr)
		}
	}
}

func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "commands.jsonl")
	if err := os.WriteFile(file, []byte(`{"do": "cancel", "order": "o-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // what they contain
	}{
		{"a file, and a command that is refused", []string{file}, 0, "cancel o-1: there is no such order", ""},
		{"nothing to read", []string{"-"}, 0, "done=0 refused=0 bad_lines=0", ""},
		{"help", []string{"-h"}, 0, "Usage: shop [-v] [file]", ""},
		{"log", []string{"-v", file}, 0, "cancel o-1", ""},
		{"missing file", []string{filepath.Join(dir, "nope")}, 2, "", "shop: open " + filepath.Join(dir, "nope")},
		{"a directory", []string{dir}, 2, "", "shop: read " + dir},
		{"two files", []string{file, file}, 2, "", "shop: 2 files given"},
		{"unknown flag", []string{"-x"}, 2, "", `run "shop -h" for help`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := runShop(t, "", tt.args...)
			if status != tt.status {
				t.Errorf("exit status %d, want %d", status, tt.status)
			}
			if !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || (tt.stderr == "") != (stderr == "") {
				t.Errorf("standard output:\n%s\nstandard error:\n%s\nwant in them %q and %q", stdout, stderr, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestReadAndWriteErrors(t *testing.T) {
	broken := errors.New("the disk is broken")
	var stderr strings.Builder
	in := io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken))
	if status := run([]string{"-"}, in, io.Discard, &stderr); status != 2 || !strings.HasSuffix(stderr.String(), "shop: read standard input: line 2: the disk is broken\n") {
		t.Errorf("reading fails: exit status %d and %q, want 2 and the line", status, stderr.String())
	}
	stderr.Reset()
	r, w := io.Pipe()
	r.CloseWithError(broken)
	if status := run(nil, nil, w, &stderr); status != 2 || stderr.String() != "shop: write the report: the disk is broken\n" {
		t.Errorf("writing fails: exit status %d and %q, want 2 and the reason", status, stderr.String())
	}
}

func TestVerboseLogsDispatchesAndFailures(t *testing.T) {
	_, _, stderr := runShop(t, `{"do": "sign-up", "user": "cafe", "name": "Cafe", "email": "a@full.example"}`, "-v", "-")
	// The words are the bus's.
	for _, want := range []string{`DBG .* domain=user action=created`, `ERR .* action=created handler=mail\.\(\*mailer\)\.welcome .*the mailbox is full`} {
		if !regexp.MustCompile(want).MatchString(stderr) {
			t.Errorf("no %q in the log:\n%s", want, stderr)
		}
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name          string
		noColor, term string
		w             io.Writer
		want          bool
	}{
		{"device", "", "xterm", null, true},
		{"device, NO_COLOR", "1", "xterm", null, false},
		{"device, TERM=dumb", "", "dumb", null, false},
		{"file", "", "xterm", file, false},
		{"no file", "", "xterm", new(bytes.Buffer), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			t.Setenv("TERM", tt.term)
			if got := colours(tt.w); got != tt.want {
				t.Errorf("colours = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestDomainPackagesDontImportEachOther(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Deps,TestImports,XTestImports", "./...").Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, e.Stderr)
		}
		t.Fatal("go list: ", err)
	}
	deps := make(map[string][]string) // by import path
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath                      string
			Deps, TestImports, XTestImports []string
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		deps[p.ImportPath] = slices.Concat(p.Deps, p.TestImports, p.XTestImports)
	}
	var domains []string
	for shop := range deps {
		if path.Base(shop) != "shop" {
			continue
		}
		for p := range deps {
			if path.Dir(p) != shop {
				continue
			}
			domains = append(domains, path.Base(p))
			if !slices.Contains(deps[shop], p) {
				t.Errorf("main doesn't import %s", p)
			}
			for _, dep := range deps[p] {
				if dep != p && strings.HasPrefix(dep, shop+"/") {
					t.Errorf("%s depends on %s", p, dep)
				}
			}
		}
	}
	slices.Sort(domains)
	if diff := cmp.Diff([]string{"audit", "billing", "inventory", "mail", "order", "user"}, domains); diff != "" {
		t.Errorf("domain packages (-want +got):\n%s", diff)
	}
}

func runShop(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &log)
	return status, out.String(), log.String()
}
