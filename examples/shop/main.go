// Shop is a modular monolith in small: six domain packages that react to each
// other through an eventbus.Bus and don't import each other. They are wired in
// one place, shop.go.
//
//	go run ./examples/shop
//	go run ./examples/shop -mailer
//
// It reads commands as JSON lines and prints what each of them set off. The second
// command runs package mail, as it is, in a process of its own: see remote.go.
//
// What the packages do with the bus:
//
//   - who needs an answer calls: an order stands if every handler of
//     order/placing agrees;
//   - who has news publishes, in the transaction that makes it true: what the
//     handlers store is committed with it, or nothing is;
//   - mails go out for what is committed, and for nothing else. Package mail doesn't
//     know: later.go makes its handlers reactions of package durable, which are
//     stored in that transaction and run by a worker after it;
//   - a producer declares its events as eventbus.Event variables, a consumer
//     declares a struct of its own with the fields that it reads.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/lmittmann/tint"

	"example.com/eventbus"
	"example.com/eventbus/metadata"
)

const usage = `Shop runs a small shop on an event bus and shows what each command sets off.

Usage: shop [-v] [-mailer] [file]

It reads the commands from the file, from standard input if that is "-", and
without one from a file of its own. A line holds one JSON object:

  {"do": "sign-up", "user": "cafe", "name": "Corner Cafe", "email": "cafe@mail.example"}
  {"do": "order", "order": "o-1", "user": "cafe", "card": "visa", "items": [{"sku": "mug", "quantity": 2}]}
  {"do": "ship", "order": "o-1"}
  {"do": "cancel", "order": "o-1"}

The name is optional. The shop sells mug, pot and tray. The card "declined" is
declined; mailboxes at full.example are full.

A line that is no command is reported and passed over.

Orders, users, and the mails to be sent are stored in a SQLite database of the
run's own. Mails go out as they are committed; the report shows them at the end.

  -mailer  send the mails from a process of its own, fed through a NATS server
           within this one; needs the go command, to build the mailer
  -v       log every dispatch, and each handler that fails, to standard error
  -h       show this help

Exit status: 0 if every line was a command, whatever became of it; 1 if one
wasn't; 2 if the input can't be read or the output can't be written.
Colours are for terminals, unless NO_COLOR is set.
`

//go:embed commands.jsonl
var ownCommands []byte

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	verbose := flags.Bool("v", false, "")
	mailer := flags.Bool("mailer", false, "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 1 {
		err = fmt.Errorf("%d files given, want at most one", flags.NArg())
	}
	var bad int
	switch {
	case err == nil:
		bad, err = runFile(flags.Arg(0), *verbose, *mailer, stdin, stdout, stderr)
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, usage)
	default:
		err = fmt.Errorf("%w; run \"shop -h\" for help", err)
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "shop: %v\n", err)
		return 2
	case bad > 0:
		return 1
	}
	return 0
}

// runFile runs the commands of a file, of standard input for "-", and the shop's
// own for "". It returns how many lines were no commands.
func runFile(name string, verbose, mailer bool, stdin io.Reader, stdout, stderr io.Writer) (bad int, err error) {
	var in io.Reader
	switch name {
	case "":
		name, in = "commands.jsonl", bytes.NewReader(ownCommands)
	case "-":
		name, in = "standard input", stdin
	default:
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		in = f
	}

	stderr, coloured := &locked{w: stderr}, colours(stderr)
	newLog := func(level slog.Level) *slog.Logger {
		if !verbose {
			return slog.New(slog.DiscardHandler)
		}
		return slog.New(tint.NewTextHandler(stderr, &tint.Options{Level: level, NoColor: !coloured}))
	}
	dir, err := os.MkdirTemp("", "shop-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	bus := eventbus.New(newLog(slog.LevelDebug), trace)
	bus.Intercept(trace)
	var mails *remote
	if mailer {
		log := io.Discard
		if verbose {
			log = stderr
		}
		if mails, err = openRemote(ctx, dir, log); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, mails.close()) }()
		if err := mails.start(); err != nil {
			return 0, err
		}
	}
	shop, err := open(ctx, bus, newLog(slog.LevelWarn), filepath.Join(dir, "shop.db"), mails)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shop.close()) }()
	if err := shop.start(ctx); err != nil {
		return 0, err
	}

	out := bufio.NewWriter(stdout)
	report := newReport(out, colours(stdout))
	for line, err := range lines(in) {
		if err != nil {
			return bad, fmt.Errorf("read %s: %w", name, err)
		}
		if line.err != nil {
			bad++
			fmt.Fprintf(stderr, "%s:%d: %v\n", name, line.number, line.err)
			continue
		}
		ctx, root := start(metadata.With(ctx, lineKey, strconv.Itoa(line.number)), line.command.String())
		root.end(line.command.run(ctx, shop))
		report.command(line.number, root)
		if err := out.Flush(); err != nil { // a command at a time: somebody may be typing them
			return bad, fmt.Errorf("write the report: %w", err)
		}
	}
	if err := report.summary(ctx, shop, bad); err != nil {
		return bad, err
	}
	if err := out.Flush(); err != nil {
		return bad, fmt.Errorf("write the report: %w", err)
	}
	return bad, nil
}

// locked is a writer for several goroutines: the shop's, River's and the one that
// copies what the mailer says.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// colours reports whether w is a terminal that wants them.
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
