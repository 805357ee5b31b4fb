package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// lockFile is the contracts of a program as they are committed: for each event
// the JSON kind of every field that is written, by its path. The params as a
// whole have the path "".
type lockFile struct {
	Version int                          `json:"version"`
	Events  map[string]map[string]string `json:"events"`
}

const (
	lockName    = "eventbus.lock"
	lockVersion = 1
)

// parseLock reads a lock file.
func parseLock(data []byte) (*lockFile, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var l lockFile
	if err := dec.Decode(&l); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is more after the end")
	}
	if l.Version != lockVersion {
		return nil, fmt.Errorf("it has version %d, and this eventbus reads version %d", l.Version, lockVersion)
	}
	return &l, nil
}

// contracts returns what the lock file is to hold.
func (a *model) contracts() *lockFile {
	l := &lockFile{Version: lockVersion, Events: map[string]map[string]string{}}
	for _, w := range a.wirings {
		for _, m := range w.made {
			if !m.known() || m.received != nil {
				continue
			}
			fields := l.Events[m.String()]
			if fields == nil {
				fields = map[string]string{}
				l.Events[m.String()] = fields
			}
			for _, p := range m.payloads {
				if !p.none {
					flatten(fields, "", p.shape(), false, 0)
				}
			}
		}
	}
	return l
}

// flatten adds the kinds of a shape, path by path. Where producers differ, a
// field has the kinds of all.
func flatten(fields map[string]string, path string, sh *shape, quoted bool, depth int) {
	kind := [...]string{"any", "boolean", "number", "string", "array", "object", "none"}[sh.kind]
	if quoted && sh.kind != text {
		kind = "string"
	}
	kinds := strings.Split(fields[path], "|")
	if fields[path] == "" {
		kinds = nil
	}
	if !slices.Contains(kinds, kind) {
		kinds = append(kinds, kind)
		slices.Sort(kinds)
	}
	fields[path] = strings.Join(kinds, "|")
	if depth > 8 { // a type that holds itself
		return
	}
	if sh.elem != nil && sh.kind == array {
		flatten(fields, path+"[]", sh.elem, false, depth+1)
	}
	if sh.elem != nil && sh.kind == object_ {
		flatten(fields, path+"{}", sh.elem, false, depth+1)
	}
	for _, f := range sh.fields {
		flatten(fields, join(path, f.name), f.shape, f.quoted, depth+1)
	}
}

// change is one difference between a lock file and the program.
type change struct {
	event, text string
	breaks      bool
}

// changes compares what was locked with what is now.
func changes(old, now *lockFile) []change {
	var out []change
	add := func(event string, breaks bool, format string, args ...any) {
		out = append(out, change{event, fmt.Sprintf(format, args...), breaks})
	}
	for e, was := range old.Events {
		is, ok := now.Events[e]
		if !ok {
			add(e, true, "nothing makes the event any more")
			continue
		}
		for path, kind := range was {
			switch k, ok := is[path]; {
			case !ok && path == "":
				add(e, true, "the event has no params any more")
			case !ok:
				add(e, true, "the field %q is no longer written", path)
			case k != kind && !subset(k, kind):
				add(e, true, "%s was %s, and is %s", cmp.Or(quoteField(path), "the params"), kind, k)
			case k != kind:
				add(e, false, "%s was %s, and is %s only", cmp.Or(quoteField(path), "the params"), kind, k)
			}
		}
		for path := range is {
			if _, ok := was[path]; !ok {
				add(e, false, "%s is new", cmp.Or(quoteField(path), "a payload"))
			}
		}
	}
	for e := range now.Events {
		if _, ok := old.Events[e]; !ok {
			add(e, false, "the event is new")
		}
	}
	slices.SortFunc(out, func(a, b change) int { return cmp.Or(cmp.Compare(a.event, b.event), cmp.Compare(a.text, b.text)) })
	return out
}

func quoteField(path string) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf("the field %q", path)
}

// subset reports whether each of kinds is one of all.
func subset(kinds, all string) bool {
	for k := range strings.SplitSeq(kinds, "|") {
		if !slices.Contains(strings.Split(all, "|"), k) && !slices.Contains(strings.Split(all, "|"), "any") {
			return false
		}
	}
	return true
}

// checkLock reports what changed since the lock file was written: an error where
// it breaks a consumer, a warning where only the file is out of date.
func (a *model) checkLock(file string) error {
	data, err := os.ReadFile(filepath.Join(a.src.dir, file))
	if filepath.IsAbs(file) {
		data, err = os.ReadFile(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no lock file %s; write one with eventbus lock", file)
	}
	if err != nil {
		return err
	}
	old, err := parseLock(data)
	if err != nil {
		return fmt.Errorf("the lock file %s is broken: %v; restore it, or write it anew with eventbus lock", file, err)
	}
	for _, c := range changes(old, a.contracts()) {
		f := finding{Check: "lock", Warning: !c.breaks, Place: filepath.ToSlash(file) + ":1:1", Event: c.event, Text: c.text}
		f.pos.Filename = file
		if c.breaks {
			f.Text += ", which breaks who reads it; restore it, or accept it with eventbus lock"
		} else {
			f.Text += ", which breaks nobody; accept it with eventbus lock"
		}
		a.findings = append(a.findings, f)
	}
	return nil
}

var lockCommand = &command{
	name: "lock", args: "[flags] [packages]", short: "writes the contracts of all events to a file to commit",
	long: `Lock writes the events that a program makes, and the JSON kinds of their fields,
to a file. Commit it: eventbus check -lock then reports what changed since. What
breaks a consumer is an error: a field removed, a kind changed, an event gone.
What doesn't is a warning: a field or an event that is new.
`,
	run: runLock,
}

func runLock(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	if len(a.src.broken) > 0 {
		fmt.Fprintln(errw, "eventbus: the program doesn't compile; nothing was written")
		return exitFailed
	}
	data, err := json.MarshalIndent(a.contracts(), "", "  ")
	if err == nil {
		file := o.out
		if !filepath.IsAbs(file) {
			file = filepath.Join(a.src.dir, file)
		}
		err = os.WriteFile(file, append(data, '\n'), 0o666)
	}
	if err != nil {
		fmt.Fprintf(errw, "eventbus: %v\n", err)
		return exitFailed
	}
	fmt.Fprintf(errw, "eventbus: %s written: %s\n", o.out, plural(len(a.contracts().Events), "event"))
	return exitFine
}
