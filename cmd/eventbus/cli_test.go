package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree writes files, given as "path: content" pairs, to a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withBus adds a module with the corpus's stand-in for the bus to files.
func withBus(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	src, err := os.ReadFile("testdata/corpus/vendor/bus.test/eventbus/eventbus.go")
	if err != nil {
		t.Fatal(err)
	}
	files["eventbus/eventbus.go"] = string(src)
	if files["go.mod"] == "" {
		files["go.mod"] = "module m.test\n\ngo 1.26.0\n"
	}
	return files
}

func runIn(t *testing.T, dir string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), append([]string{args[0], "-C", dir}, args[1:]...), &o, &e)
	return status, o.String(), e.String()
}

const oneSlip = `package main

import (
	"context"

	"m.test/eventbus"
)

func h(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	bus.Register("user", "created", h)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "craeted", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", nil))
	_ = bus.Publish(context.Background(), eventbus.MustData("stock", "low", nil))
}
`

func TestCheckPrintsOneLineEach(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"shop/main.go": oneSlip}))
	status, out, errs := runIn(t, dir, "check", "./...")
	want := `shop/main.go:14:40: user/craeted: no handler is registered for it; did you mean user/created, registered at shop/main.go:13? [unhandled]
shop/main.go:16:40: warning: stock/low: no handler is registered for it; register one, or drop the event [unhandled]
`
	if out != want {
		t.Errorf("standard output is\n%swant\n%s", out, want)
	}
	if status != 1 {
		t.Errorf("exit status %d with an error found, want 1", status)
	}
	if !strings.Contains(errs, "1 error, 1 warning") {
		t.Errorf("standard error is %q, want a summary", errs)
	}
}

func TestCheckStatusAndFlags(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"shop/main.go": oneSlip}))
	warned := tree(t, withBus(t, map[string]string{"shop/main.go": strings.Replace(oneSlip, "craeted", "created", 1)}))
	for _, tt := range []struct {
		name   string
		dir    string
		args   []string
		status int
	}{
		{"warnings alone are fine", warned, nil, 0},
		{"strict makes them errors", warned, []string{"-strict"}, 1},
		{"a check that is off is silent", dir, []string{"-off", "unhandled"}, 0},
		{"no such check", dir, []string{"-off", "typos"}, 2},
		{"no such flag", dir, []string{"-loud"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := runIn(t, tt.dir, append([]string{"check"}, tt.args...)...)
			if status != tt.status {
				t.Errorf("exit status %d, want %d\n%s%s", status, tt.status, out, errs)
			}
			if tt.name == "a check that is off is silent" && out != "" {
				t.Errorf("output is %q, want none", out)
			}
		})
	}
	_, out, _ := runIn(t, dir, "check", "-json")
	var fs []finding
	if err := json.Unmarshal([]byte(out), &fs); err != nil || len(fs) != 2 || fs[0].Check != "unhandled" || fs[0].Warning || !fs[1].Warning {
		t.Errorf("-json gives %v, %v", fs, err)
	}
}

// Whatever can't be loaded gets a clear line and exit status 2, and no stack.
func TestBadInput(t *testing.T) {
	t.Setenv("GOWORK", "off")
	main := "package main\n\nfunc main() {}\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		args  []string
		env   [2]string
		says  string
	}{
		{"no module", map[string]string{"main.go": main}, nil, [2]string{}, "inside a Go module"},
		{"nothing matches", map[string]string{"go.mod": "module m.test\n"}, nil, [2]string{}, "no packages match ./..."},
		{"no such package", map[string]string{"go.mod": "module m.test\n", "main.go": main}, []string{"./nowhere"}, [2]string{}, "nowhere"},
		{"no bus", map[string]string{"go.mod": "module m.test\n", "main.go": main}, nil, [2]string{}, "none of the packages imports an event bus"},
		{"broken go.mod", map[string]string{"go.mod": "modul m.test\n", "main.go": main}, nil, [2]string{}, "go.mod"},
		{"broken GOFLAGS", withBus(t, map[string]string{"main.go": oneSlip}), nil, [2]string{"GOFLAGS", "-nonsense"}, "GOFLAGS"},
		{"missing go.work", withBus(t, map[string]string{"main.go": oneSlip}), nil, [2]string{"GOWORK", "/nowhere/go.work"}, "GOWORK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			status, out, errs := runIn(t, tree(t, tt.files), append([]string{"check"}, tt.args...)...)
			if status != 2 || out != "" || !strings.Contains(errs, tt.says) {
				t.Errorf("status %d, output %q, error %q; want 2, none, and %q", status, out, errs, tt.says)
			}
			if strings.Contains(errs, "goroutine") || strings.Contains(errs, "internal error") {
				t.Errorf("a stack or a panic: %s", errs)
			}
		})
	}
}

// Code that doesn't compile is reported with its place; the rest is checked.
func TestBrokenPackage(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{
		"shop/main.go":  strings.Replace(oneSlip, "import (", "import (\n\t_ \"m.test/broken\"\n", 1) + "\nfunc x(b *eventbus.Bus, d eventbus.Data) { b.Call(context.Background(), d) }\n",
		"broken/bad.go": "package broken\n\nimport \"m.test/eventbus\"\n\nfunc f(b *eventbus.Bus) { b.Nothing() }\n",
	}))
	status, out, errs := runIn(t, dir, "check")
	if status != 2 {
		t.Errorf("exit status %d, want 2", status)
	}
	if !strings.Contains(errs, "broken/bad.go:5:29: ") {
		t.Errorf("standard error doesn't say where it doesn't compile: %s", errs)
	}
	if !strings.Contains(out, "[dropped]") || !strings.Contains(out, "warning: user/craeted") {
		t.Errorf("what compiles isn't checked, or not with due doubt: %s", out)
	}
}

// Packages that import each other are an error of the program's, not a reason to
// wait for ever.
func TestImportCycle(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{
		"main.go": oneSlip,
		"a/a.go":  "package a\n\nimport (\n\t_ \"m.test/b\"\n\t_ \"m.test/eventbus\"\n)\n",
		"b/b.go":  "package b\n\nimport _ \"m.test/a\"\n",
	}))
	status, out, errs := runIn(t, dir, "check", "./...")
	if status != 2 || !strings.Contains(errs, "import cycle") || !strings.Contains(out, "user/craeted") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
}

func TestBuildTags(t *testing.T) {
	t.Setenv("GOWORK", "off")
	abs, err := filepath.Abs("testdata/corpus")
	if err != nil {
		t.Fatal(err)
	}
	if status, out, errs := runIn(t, abs, "check", "./good/build-tags"); status != 0 || out != "" {
		t.Errorf("without tags: status %d, %s%s", status, out, errs)
	}
	if status, out, _ := runIn(t, abs, "check", "-tags", "nometrics", "./good/build-tags"); status != 1 || !strings.Contains(out, "off.go") {
		t.Errorf("with the tag: status %d, %s", status, out)
	}
}

func TestList(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"shop/main.go": `package main

import (
	"context"
	"os"

	"m.test/eventbus"
)

type Created struct {
	ID    string ` + "`json:\"id\"`" + `
	Email string ` + "`json:\"email,omitempty\"`" + `
}

type mailer struct{ bus *eventbus.Bus }

func (m *mailer) Welcome(ctx context.Context, c struct{ ID string }) error {
	return m.bus.Publish(ctx, eventbus.MustData("mail", "sent", nil))
}

func audit(ctx context.Context, d eventbus.Data) error { return nil }

func main() {
	bus := eventbus.New(nil)
	m := &mailer{bus}
	eventbus.On(bus, "user", "created", m.Welcome)
	bus.Register(eventbus.Any, eventbus.Any, audit)
	bus.Register("user", os.Args[1], audit)
	_ = bus.Publish(context.Background(), eventbus.MustData("user", "created", Created{}))
}
`}))
	status, out, errs := runIn(t, dir, "list", "user/created", "./...")
	want := `user/created
  fields   id string, email? string
  made     shop/main.go:29  shop.main (main.Created)
  handled  shop/main.go:26  shop.(*mailer).Welcome (struct{ID string})  -> mail/sent
  handled  shop/main.go:27  shop.audit  as */*
`
	if status != 0 || out != want {
		t.Errorf("status %d, output\n%swant\n%s%s", status, out, want, errs)
	}
	_, out, _ = runIn(t, dir, "list")
	if !strings.Contains(out, "registration shop/main.go:28  user/?") {
		t.Errorf("the registration of a run-time name isn't listed as unknown:\n%s", out)
	}
	var l listing
	if _, out, _ = runIn(t, dir, "list", "-json"); json.Unmarshal([]byte(out), &l) != nil || len(l.Events) != 3 || len(l.Unknown) != 1 {
		t.Errorf("-json gives %s", out)
	}
	if status, _, errs = runIn(t, dir, "list", "user/craeted"); status != 1 || !strings.Contains(errs, "did you mean user/created?") {
		t.Errorf("an event there is none of: status %d, %s", status, errs)
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"help", "check"}, &out, &errs); status != 0 {
		t.Errorf("help check: status %d", status)
	}
	for _, c := range checkNames {
		if !strings.Contains(out.String(), "\n  "+c+" ") {
			t.Errorf("help check doesn't explain %s", c)
		}
	}
	if status := run(t.Context(), []string{"chekc"}, &out, &errs); status != 2 || !strings.Contains(errs.String(), "no command \"chekc\"") {
		t.Errorf("an unknown command: status %d, %s", status, errs.String())
	}
}

// go vet runs dropped and mutated, with what helpers of other packages do.
func TestVetTool(t *testing.T) {
	t.Setenv("GOWORK", "off")
	tool := filepath.Join(t.TempDir(), "eventbus.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	dir := tree(t, withBus(t, map[string]string{
		"scrub/scrub.go": "package scrub\n\nfunc Mask(b []byte) {\n\tfor i := range b {\n\t\tb[i] = '*'\n\t}\n}\n\nfunc Len(b []byte) int { return len(b) }\n",
		"shop/main.go": `package main

import (
	"context"

	"m.test/eventbus"
	"m.test/scrub"
)

func h(ctx context.Context, d eventbus.Data) error {
	scrub.Len(d.RawParams)
	scrub.Mask(d.RawParams)
	return nil
}

func main() {
	bus := eventbus.New(nil)
	bus.Register("a", "b", h)
	bus.Publish(context.Background(), eventbus.MustData("a", "b", nil))
	bus.Publish(context.Background(), eventbus.MustData("a", "b", nil)) //eventbus:ignore dropped it is a test
}
`}))
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-vettool="+tool, "./...")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("go vet finds nothing")
	}
	for _, want := range []string{"main.go:12:12: scrub.Mask writes to RawParams", "main.go:19:2: the error of Publish is not looked at"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("go vet doesn't say %q:\n%s", want, out)
		}
	}
	if n := strings.Count(string(out), "main.go:"); n != 2 {
		t.Errorf("go vet reports %d places, want 2:\n%s", n, out)
	}
}

func FuzzParseIgnore(f *testing.F) {
	for _, s := range []string{"//eventbus:ignore dropped why", "//eventbus:ignore", "//eventbus:ignored x", "// eventbus:ignore x", "//eventbus:ignore\tcycle\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check, reason, ok := parseIgnore(s)
		if !ok && (check != "" || reason != "") {
			t.Errorf("%q is no such comment and gives %q, %q", s, check, reason)
		}
		if strings.ContainsAny(check, " ") {
			t.Errorf("%q: the check is %q", s, check)
		}
	})
}

// FuzzParseTag compares with encoding/json's own reading of a tag.
func FuzzParseTag(f *testing.F) {
	for _, s := range []string{`json:"id"`, `json:"-"`, `json:"-,"`, `json:",omitempty"`, `json:"id,string"`, `xml:"x" json:"y"`, `json:`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag := parseTag(s)
		if tag.skip && (tag.name != "" || tag.optional || tag.quoted) {
			t.Errorf("%q is skipped and has %+v", s, tag)
		}
		if strings.Contains(tag.name, ",") {
			t.Errorf("%q has the name %q", s, tag.name)
		}
	})
}

// The programs of this repository check clean.
func TestThisRepository(t *testing.T) {
	t.Setenv("GOWORK", "off")
	for _, dir := range []string{"../../examples", "../../bench", "../.."} {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			t.Skip("not within the repository of the bus")
		}
		if status, out, errs := runIn(t, dir, "check", "-strict", "./..."); status != 0 || out != "" {
			t.Errorf("%s: status %d\n%s%s", dir, status, out, errs)
		}
	}
}

func TestGraphSVG(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{"shop/main.go": oneSlip}))
	status, out, errs := runIn(t, dir, "graph", "-format", "svg")
	if _, err := exec.LookPath("dot"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVENTBUS_REQUIRE"), ","), "graphviz") {
			t.Fatal("EVENTBUS_REQUIRE names graphviz, and there is no dot")
		}
		if status != 2 || !strings.Contains(errs, "install it") {
			t.Errorf("without dot: status %d, %s", status, errs)
		}
		t.Skip("there is no dot (Graphviz) to draw with")
	}
	if status != 0 || !strings.Contains(out, "<svg") || !strings.Contains(out, "user/craeted") {
		t.Errorf("status %d, %.200s%s", status, out, errs)
	}
}
