// Command eventbus reads the wiring of an event bus from the source of a program
// and finds what is wrong with it before it runs.
//
//	eventbus check ./...            # wrong wiring, one line each
//	eventbus list ./...             # who makes and who handles each event
//	eventbus asyncapi ./cmd/shop    # the events as an AsyncAPI document
//	eventbus lock ./...             # the contracts, to a file to commit
//	eventbus check -lock ./...      # what has changed of them
//	eventbus help check             # what is checked, and how to switch it off
//
// The bus is known by its names: a type Bus with methods Register, Call and
// Publish in a package that is named eventbus, or whose path ends so. A function
// of a package directly below it that takes an event, such as a queue's, counts
// as a dispatch.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	if forVet(os.Args[1:]) {
		unitchecker.Main(droppedAnalyzer, mutatedAnalyzer)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// forVet reports whether go vet runs us as its -vettool.
func forVet(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		return strings.HasPrefix(a, "-V=") || a == "-flags" || strings.HasSuffix(a, ".cfg")
	})
}

// Exit statuses.
const (
	exitFine     = 0
	exitFindings = 1
	exitFailed   = 2
)

type command struct {
	name, args, short, long string
	run                     func(ctx context.Context, c *command, args []string, out, errw io.Writer) int
}

var commands = []*command{checkCommand, listCommand, graphCommand, asyncapiCommand, lockCommand}

func run(ctx context.Context, args []string, out, errw io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(errw, "eventbus: internal error: %v; please report it with the program that it was run on\n", r)
			status = exitFailed
		}
	}()
	if len(args) == 0 {
		help(errw)
		return exitFailed
	}
	name := args[0]
	switch name {
	case "help", "-h", "-help", "--help":
		if name == "help" && len(args) > 1 {
			return helpFor(args[1], out, errw)
		}
		help(out)
		return exitFine
	}
	for _, c := range commands {
		if c.name == name {
			return c.run(ctx, c, args[1:], out, errw)
		}
	}
	fmt.Fprintf(errw, "eventbus: there is no command %q; run eventbus help\n", name)
	return exitFailed
}

func help(w io.Writer) {
	fmt.Fprint(w, `eventbus reads the wiring of an event bus from the source of a Go program.

Usage: eventbus command [flags] [packages]

Commands:
`)
	for _, c := range commands {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.short)
	}
	fmt.Fprint(w, `  help       says more about a command: eventbus help check

Packages are named as for go build; without any, ./... is read.
Exit status: 0 fine, 1 an error was found, 2 the program can't be loaded.
With go vet, for the checks that need one package only:
  go vet -vettool=$(which eventbus) ./...
`)
}

func helpFor(name string, out, errw io.Writer) int {
	for _, c := range commands {
		if c.name == name {
			fs, _ := c.flags(io.Discard)
			fmt.Fprintf(out, "Usage: eventbus %s %s\n\n%s\nFlags:\n", c.name, c.args, c.long)
			fs.SetOutput(out)
			fs.PrintDefaults()
			return exitFine
		}
	}
	fmt.Fprintf(errw, "eventbus: there is no command %q; run eventbus help\n", name)
	return exitFailed
}

// options are the flags of a command; each command uses some.
type options struct {
	dir, tags, off, format, lock, out, release string
	json, strict                               bool
}

func (c *command) flags(errw io.Writer) (*flag.FlagSet, *options) {
	o := &options{}
	fs := flag.NewFlagSet("eventbus "+c.name, flag.ContinueOnError)
	fs.SetOutput(errw)
	fs.Usage = func() {
		fmt.Fprintf(errw, "Usage: eventbus %s %s\nRun eventbus help %s for more.\n", c.name, c.args, c.name)
	}
	fs.StringVar(&o.dir, "C", ".", "the `folder` to run in")
	fs.StringVar(&o.tags, "tags", "", "build `tags`, with commas between them")
	if c.name == "graph" {
		fs.StringVar(&o.format, "format", "mermaid", "mermaid, dot, json, html or svg")
		return fs, o
	}
	switch c.name {
	case "lock":
		fs.StringVar(&o.out, "o", lockName, "the `file` to write, in the folder that the command runs in; - is standard output")
		return fs, o
	case "asyncapi":
		fs.StringVar(&o.release, "release", "", "the program's `version`, for the document's info; 0.0.0 where the go command knows none")
		return fs, o
	}
	fs.BoolVar(&o.json, "json", false, "print JSON, for machines")
	if c.name == "check" {
		fs.BoolVar(&o.strict, "strict", false, "treat warnings as errors")
		fs.Var(lockFlag{&o.lock}, "lock", "compare with the lock `file` too: -lock for "+lockName+", -lock=file for another")
		fs.StringVar(&o.off, "off", "", "`checks` to switch off, with commas between them")
	}
	return fs, o
}

// start parses the flags and loads the program.
func (c *command) start(ctx context.Context, args []string, errw io.Writer) (*options, []string, *model, int) {
	fs, o := c.flags(errw)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, nil, nil, exitFine
		}
		return nil, nil, nil, exitFailed
	}
	if c.name == "graph" && !slices.Contains(graphFormats, o.format) {
		fmt.Fprintf(errw, "eventbus: there is no format %q; take mermaid, dot, json, html or svg\n", o.format)
		return nil, nil, nil, exitFailed
	}
	patterns, events := fs.Args(), []string(nil)
	if c.name == "list" {
		patterns = slices.DeleteFunc(patterns, func(a string) bool {
			if isEvent(a) {
				events = append(events, a)
				return true
			}
			return false
		})
	}
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	if st, err := os.Stat(o.dir); err != nil || !st.IsDir() {
		fmt.Fprintf(errw, "eventbus: %s is not a folder\n", o.dir)
		return nil, nil, nil, exitFailed
	}
	stop := progress(errw, "eventbus: loading "+strings.Join(patterns, " "))
	src, err := load(ctx, o.dir, o.tags, patterns, nil)
	stop()
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(errw, "eventbus: %s\n", strings.TrimSpace(line))
		}
		return nil, nil, nil, exitFailed
	}
	src.printBroken(errw)
	return o, events, analyze(src), exitFine
}

// isEvent tells domain/action from a folder or an import path.
func isEvent(arg string) bool {
	if strings.HasPrefix(arg, ".") || strings.HasPrefix(arg, "/") || strings.Count(arg, "/") != 1 || strings.HasSuffix(arg, "/...") {
		return false
	}
	_, err := os.Stat(arg)
	return err != nil && !strings.Contains(arg[:strings.IndexByte(arg, '/')], ".")
}

// progress shows on a terminal that something takes long, until stop is called.
func progress(w io.Writer, text string) (stop func()) {
	if !terminal(w) {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		t := time.NewTimer(time.Second)
		defer t.Stop()
		start := time.Now()
		shown := false
		for {
			select {
			case <-done:
				if shown {
					fmt.Fprint(w, "\r\033[K")
				}
				return
			case <-t.C:
				fmt.Fprintf(w, "\r\033[K%s (%d s)", text, int(time.Since(start).Seconds()))
				shown = true
				t.Reset(time.Second)
			}
		}
	}()
	return func() { close(done); <-gone }
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func coloured(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

var checkCommand = &command{
	name: "check", args: "[flags] [packages]", short: "finds wrong wiring, before it runs",
	long: `Check loads a program (each main package with all it reaches is a program of its
own; without a main, the packages named) and reports wrong wiring, one line each:

  path/file.go:12:3: user/craeted: what is wrong and what to do [unhandled]

The checks, any of which -off switches off:

  unhandled     an event is made and no handler is registered for its name or its
                domain: an error where a registered name is near, which makes it a
                slip, else a warning. Handlers of every event don't count.
  undispatched  a handler is registered for an event that nothing makes (a warning)
  contract      a consumer reads a field that no producer writes, or that has
                another JSON kind, or a number that may not fit (a warning)
  cycle         events whose handlers set each other off without end; a warning
                where a condition stands between
  dropped       the error of Call or Publish is not looked at; _ = is a decision
  late          a handler is registered while a handler or an HTTP request runs,
                again and again (a warning)
  mutated       a handler or a middleware writes to RawParams
  lock          with -lock: a contract is not what eventbus lock wrote down, and a
                consumer breaks by it, or may (a warning); see eventbus help lock
  ignore        a comment that ignores nothing, or gives no reason (a warning)

A comment silences a check on its own line or the next, with a reason:

  //eventbus:ignore unhandled the mobile app polls for it

Names that are known only when the program runs are unknown: eventbus list shows
them. They turn alarms that they may explain into warnings, or away. Test files
count neither as producers nor as handlers.
`,
	run: runCheck,
}

func runCheck(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	on := map[string]bool{}
	for _, n := range checkNames {
		on[n] = n != "lock" || o.lock != ""
	}
	for n := range strings.SplitSeq(o.off, ",") {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		if !on[n] && !slices.Contains(checkNames, n) {
			fmt.Fprintf(errw, "eventbus: there is no check %q to switch off; the checks are %s\n", n, strings.Join(checkNames, ", "))
			return exitFailed
		}
		on[n] = false
	}
	if on["lock"] {
		fine, err := a.checkLock(o.lock)
		if err != nil {
			fmt.Fprintf(errw, "eventbus: %v\n", err)
			return exitFailed
		}
		if len(fine) > 0 {
			defer fmt.Fprintf(errw, "eventbus: %s\n", lockSummary(o.lock, fine))
		}
	}
	findings := a.run(on)
	errs := 0
	for i := range findings {
		if o.strict {
			findings[i].Warning = false
		}
		if !findings[i].Warning {
			errs++
		}
	}
	if o.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if findings == nil {
			findings = []finding{}
		}
		if err := enc.Encode(findings); err != nil {
			fmt.Fprintf(errw, "eventbus: %v\n", err)
			return exitFailed
		}
	} else {
		colour := coloured(out)
		for _, f := range findings {
			line := f.String()
			if colour {
				code := "31"
				if f.Warning {
					code = "33"
				}
				line = strings.TrimSuffix(line, "["+f.Check+"]") + "\033[" + code + "m[" + f.Check + "]\033[0m"
			}
			fmt.Fprintln(out, line)
		}
	}
	fmt.Fprintf(errw, "eventbus: %s: %s\n", a.summary(), counts(errs, len(findings)-errs))
	switch {
	case len(a.src.broken) > 0:
		fmt.Fprintln(errw, "eventbus: not all of the program could be loaded; what could was checked")
		return exitFailed
	case errs > 0:
		return exitFindings
	}
	return exitFine
}

// run runs the checks that are on and returns what they find, in the order of
// the source.
func (a *model) run(on map[string]bool) []finding {
	a.check(on)
	m := newMutations(a.bus)
	for _, p := range a.src.pkgs {
		if len(p.CompiledGoFiles) == 0 || !a.mine[p.CompiledGoFiles[0]] {
			continue
		}
		if on["dropped"] && p.TypesInfo != nil {
			dropped(a.bus, p.Syntax, p.TypesInfo, func(pos pos, text string) { a.report("dropped", false, pos, "", "%s", text) })
		}
		if on["mutated"] && a.src.uses[p.PkgPath] {
			for _, fn := range a.src.functions(p) {
				m.handler(fn, func(pos pos, text string) { a.report("mutated", false, pos, "", "%s", text) })
			}
		}
	}
	a.applyIgnores(on)
	sortFindings(a.findings)
	return a.findings
}

func counts(errs, warnings int) string {
	if errs+warnings == 0 {
		return "nothing wrong"
	}
	return plural(errs, "error") + ", " + plural(warnings, "warning")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *model) summary() string {
	events, handlers, unknown := map[name]bool{}, 0, 0
	for i, w := range a.wirings {
		for _, m := range w.made {
			if m.known() {
				events[m.name] = true
			}
		}
		handlers += len(w.registrations)
		unknown += len(a.unknowns(i))
	}
	s := plural(len(events), "event") + ", " + plural(handlers, "handler")
	if unknown > 0 {
		s += fmt.Sprintf(", %d unknown (see eventbus list)", unknown)
	}
	if n := len(a.programs); n > 1 {
		s += fmt.Sprintf(", in %d programs", n)
	}
	return s
}
