// Shop is a modular monolith in small: six domain packages that react to each
// other through an eventbus.Bus and don't import each other. They are wired in
// one place, shop.go.
//
//	go run ./examples/shop
//
// It reads commands as JSON lines and prints what each of them set off.
//
// What the packages do with the bus:
//
//   - who needs an answer calls: an order stands if every handler of
//     order/placing agrees;
//   - who has news publishes: what is done stays done, whatever a handler makes of
//     it. The failure is the bus's to log;
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

	"github.com/lmittmann/tint"

	"example.com/eventbus"
)

const usage = `Shop runs a small shop on an event bus and shows what each command sets off.

Usage: shop [-v] [file]

It reads the commands from the file, from standard input if that is "-", and
without one from a file of its own. A line holds one JSON object:

  {"do": "sign-up", "user": "cafe", "name": "Corner Cafe", "email": "cafe@mail.example"}
  {"do": "order", "order": "o-1", "user": "cafe", "card": "visa", "items": [{"sku": "mug", "quantity": 2}]}
  {"do": "ship", "order": "o-1"}
  {"do": "cancel", "order": "o-1"}

The name is optional. The shop sells mug, pot and tray. The card "declined" is
declined; mailboxes at full.example are full.

A line that is no command is reported and passed over.

  -v  log every dispatch, and each handler that fails, to standard error
  -h  show this help

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
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 1 {
		err = fmt.Errorf("%d files given, want at most one", flags.NArg())
	}
	var bad int
	switch {
	case err == nil:
		bad, err = runFile(flags.Arg(0), *verbose, stdin, stdout, stderr)
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
func runFile(name string, verbose bool, stdin io.Reader, stdout, stderr io.Writer) (bad int, err error) {
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

	var log *slog.Logger
	if verbose {
		log = slog.New(tint.NewTextHandler(stderr, &tint.Options{Level: slog.LevelDebug, NoColor: !colours(stderr)}))
	}
	bus := eventbus.New(log, trace)
	bus.Intercept(trace)
	shop := wire(bus)

	out := bufio.NewWriter(stdout)
	report := newReport(out, colours(stdout))
	ctx := context.Background()
	for line, err := range lines(in) {
		if err != nil {
			return bad, fmt.Errorf("read %s: %w", name, err)
		}
		if line.err != nil {
			bad++
			fmt.Fprintf(stderr, "%s:%d: %v\n", name, line.number, line.err)
			continue
		}
		ctx, root := start(ctx, line.command.String())
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

// colours reports whether w is a terminal that wants them.
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
