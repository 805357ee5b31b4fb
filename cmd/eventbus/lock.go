package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// lockFile is the contracts of a program as they are committed.
type lockFile struct {
	Version int                     `json:"version"`
	Events  map[string]*lockedEvent `json:"events"`

	lines map[string]int // of the events, in the file that was read
}

// lockedEvent is what is written as an event's payload, nil where nothing here
// makes it, and what each handler reads of it.
type lockedEvent struct {
	Produced lockedShape            `json:"produced,omitempty"`
	Consumed map[string]lockedShape `json:"consumed,omitempty"`
}

// lockedShape has an entry for each part of a payload. Paths are written as jq
// does: . is the payload, .user.name a field, .items[] the elements of an array,
// and .prices.* the values of an object with any keys.
type lockedShape map[string]lockedKind

// lockedKind is what a part of a payload may be. As text it reads
// "int64 or string, optional".
type lockedKind struct {
	kinds    []string // sorted, without doubles
	optional bool     // may be left out
}

const (
	lockName    = "eventbus.lock.json"
	lockVersion = 1
	// maxLocked bounds the paths of one payload: types that hold each other have
	// many.
	maxLocked = 2000
)

const (
	kindNone     = "none"     // no payload at all
	kindAnything = "anything" // a marshaler, any, or known only when the program runs
	inString     = " in string"
)

var lockedKinds = []string{
	kindNone, kindAnything, "boolean", "string", "time", "base64", "array", "object", "unsupported",
	"number", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
}

func (k lockedKind) String() string {
	s := strings.Join(k.kinds, " or ")
	if k.optional {
		s += ", optional"
	}
	return s
}

func (k lockedKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k *lockedKind) UnmarshalText(text []byte) error {
	s, optional := strings.CutSuffix(string(text), ", optional")
	k.optional, k.kinds = optional, strings.Split(s, " or ")
	for _, kind := range k.kinds {
		if !slices.Contains(lockedKinds, strings.TrimSuffix(kind, inString)) {
			return fmt.Errorf("%q is no kind of JSON value", kind)
		}
	}
	slices.Sort(k.kinds)
	k.kinds = slices.Compact(k.kinds)
	return nil
}

// lockedPath writes one more field after a path.
func lockedPath(path, field string) string {
	if field == "" || strings.ContainsFunc(field, notPlain) {
		field = strconv.Quote(field)
	}
	return strings.TrimSuffix(path, ".") + "." + field
}

// notPlain reports whether a field with r in its name is quoted.
func notPlain(r rune) bool {
	return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// lockedParent returns the path that path is a part of; ok is false where it is
// no path. The whole is its own parent.
func lockedParent(path string) (parent string, ok bool) {
	rest, last := path, 0
	switch path {
	case ".":
		return ".", true
	case "":
		return "", false
	}
	for rest != "" {
		last = len(path) - len(rest)
		switch {
		case strings.HasPrefix(rest, "[]") && last > 0:
			rest = rest[2:]
		case strings.HasPrefix(rest, ".[]") && last == 0: // of a payload that is an array
			rest = rest[3:]
		case strings.HasPrefix(rest, ".*"):
			rest = rest[2:]
		case strings.HasPrefix(rest, `."`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil {
				return "", false
			}
			rest = rest[1+len(quoted):]
		case rest[0] == '.':
			n := strings.IndexFunc(rest[1:], notPlain)
			if n < 0 {
				n = len(rest) - 1
			}
			if n == 0 {
				return "", false
			}
			rest = rest[1+n:]
		default:
			return "", false
		}
	}
	return cmp.Or(path[:last], "."), true
}

// lockShape returns the entries of a shape. Reading, nothing is optional: who
// decodes takes what there is.
func lockShape(sh *shape, reading bool) lockedShape {
	type node struct {
		path     string
		sh       *shape
		quoted   bool
		optional bool
		up       *node
	}
	out := lockedShape{}
	todo := []*node{{path: ".", sh: sh}}
	for len(todo) > 0 && len(out) < maxLocked {
		n := todo[0]
		todo = todo[1:]
		out[n.path] = lockedKind{[]string{kindOf(n.sh, n.quoted)}, n.optional && !reading}
		within := false // a type that holds itself
		for up := n.up; up != nil; up = up.up {
			within = within || up.sh == n.sh
		}
		if within {
			continue
		}
		if n.sh.elem != nil && n.sh.kind == array {
			todo = append(todo, &node{path: n.path + "[]", sh: n.sh.elem, up: n})
		}
		if n.sh.elem != nil && n.sh.kind == object_ {
			todo = append(todo, &node{path: strings.TrimSuffix(n.path, ".") + ".*", sh: n.sh.elem, up: n})
		}
		for _, f := range n.sh.fields {
			todo = append(todo, &node{lockedPath(n.path, f.name), f.shape, f.quoted, f.optional, n})
		}
	}
	return out
}

func kindOf(sh *shape, quoted bool) string {
	kind := ""
	switch sh.kind {
	case opaque:
		kind = kindAnything
	case boolean:
		kind = "boolean"
	case number:
		switch {
		case isNamed(sh.typ, "encoding/json", "Number"):
			kind = "number"
		case sh.float:
			kind = "float" + strconv.Itoa(sh.bits)
		case sh.signed:
			kind = "int" + strconv.Itoa(sh.bits)
		default:
			kind = "uint" + strconv.Itoa(sh.bits)
		}
	case text:
		switch {
		case sh.bytes:
			kind = "base64"
		case isNamed(sh.typ, "time", "Time"):
			kind = "time"
		default:
			kind = "string"
		}
	case array:
		kind = "array"
	case object_:
		kind = "object"
	case nothing:
		kind = "unsupported"
	}
	if quoted {
		kind += inString
	}
	return kind
}

// mergeShapes returns what a payload may be that is one of several: a part is
// optional where one of them has what it is a part of, and not the part.
func mergeShapes(shapes []lockedShape) lockedShape {
	out := lockedShape{}
	for _, sh := range shapes {
		for path, k := range sh {
			o := out[path]
			o.kinds = slices.Concat(o.kinds, k.kinds)
			slices.Sort(o.kinds)
			o.kinds = slices.Compact(o.kinds)
			o.optional = o.optional || k.optional
			out[path] = o
		}
	}
	for path, k := range out {
		for _, sh := range shapes {
			if !sh.has(path) && !strings.HasSuffix(path, "[]") && !strings.HasSuffix(path, ".*") {
				if parent, _ := lockedParent(path); sh.has(parent) {
					k.optional = true
				}
			}
		}
		out[path] = k
	}
	return out
}

func (s lockedShape) has(path string) bool {
	_, ok := s[path]
	return ok
}

// folded returns the path that differs from path in case only, if any.
func (s lockedShape) folded(path string) string {
	for _, p := range slices.Sorted(maps.Keys(s)) {
		if p != path && strings.EqualFold(p, path) {
			return p
		}
	}
	return ""
}

// written returns what a maker writes, in each of its ways.
func (mk *maker) written() []lockedShape {
	var out []lockedShape
	for _, p := range mk.payloads {
		if p.none {
			out = append(out, lockedShape{".": {kinds: []string{kindNone}}})
			continue
		}
		out = append(out, lockShape(p.shape(), false))
	}
	if mk.unknown || len(mk.payloads) == 0 {
		out = append(out, lockedShape{".": {kinds: []string{kindAnything}}})
	}
	return out
}

// lock returns what an event's entry in the lock file is to be.
func (c *contract) lock() *lockedEvent {
	e := &lockedEvent{}
	var shapes []lockedShape
	for _, mk := range c.makers {
		shapes = append(shapes, mk.written()...)
	}
	if c.unseen {
		shapes = append(shapes, lockedShape{".": {kinds: []string{kindAnything}}})
	}
	if len(shapes) > 0 {
		e.Produced = mergeShapes(shapes)
	}
	read := map[string][]lockedShape{}
	for _, rd := range c.readers {
		for _, t := range rd.types {
			read[rd.r.handler] = append(read[rd.r.handler], lockShape(shapeOf(t, true), true))
		}
		if len(rd.types) == 0 && rd.r.name == c.event {
			read[rd.r.handler] = append(read[rd.r.handler], lockedShape{".": {kinds: []string{kindAnything}}})
		}
	}
	for h, shapes := range read {
		if e.Consumed == nil {
			e.Consumed = map[string]lockedShape{}
		}
		sh := mergeShapes(shapes)
		for path, k := range sh {
			sh[path] = lockedKind{kinds: k.kinds}
		}
		e.Consumed[h] = sh
	}
	return e
}

func newLock(cs []*contract) *lockFile {
	l := &lockFile{Version: lockVersion, Events: map[string]*lockedEvent{}}
	for _, c := range cs {
		l.Events[c.event.String()] = c.lock()
	}
	return l
}

// newerError says that a lock file was written by a later release of eventbus.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("has version %d, and this eventbus knows versions up to %d; install a newer eventbus", e.version, lockVersion)
}

// parseLock reads a lock file. Its errors are one line, and those with a place
// in the file start with the line's number.
func parseLock(data []byte) (*lockFile, error) {
	at := func(offset int64, err error) error {
		offset = min(max(offset, 0), int64(len(data)))
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
	}
	broken := func(err error) error {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			return at(e.Offset, err)
		}
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return at(e.Offset, fmt.Errorf("a JSON %s where none belongs", e.Value))
		}
		return err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	var head struct{ Version *int }
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, broken(err)
	}
	switch {
	case head.Version == nil || *head.Version < 1:
		return nil, errors.New("it gives no version")
	case *head.Version > lockVersion:
		return nil, &newerError{*head.Version}
	}
	var l lockFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, broken(err)
	}
	if l.Events == nil {
		return nil, errors.New("it has no events")
	}
	l.lines = eventLines(data)
	for _, e := range slices.Sorted(maps.Keys(l.Events)) {
		ev := l.Events[e]
		if ev == nil {
			return nil, fmt.Errorf("line %d: event %q is null", l.lines[e], e)
		}
		if ev.Produced != nil {
			if err := ev.Produced.valid(); err != nil {
				return nil, fmt.Errorf("line %d: event %q: %w", l.lines[e], e, err)
			}
		}
		for _, h := range slices.Sorted(maps.Keys(ev.Consumed)) {
			if err := ev.Consumed[h].valid(); err != nil {
				return nil, fmt.Errorf("line %d: event %q: %w", l.lines[e], e, err)
			}
		}
	}
	return &l, nil
}

// valid reports a part without the whole that it is of.
func (s lockedShape) valid() error {
	if !s.has(".") {
		return errors.New(`the kind of the whole payload, ".", is missing`)
	}
	for _, path := range slices.Sorted(maps.Keys(s)) {
		parent, ok := lockedParent(path)
		if !ok {
			return fmt.Errorf("%q is no path", path)
		}
		if !s.has(parent) {
			return fmt.Errorf("%q is there without %q", path, parent)
		}
		if len(s[path].kinds) == 0 { // null
			return fmt.Errorf("%q has no kind", path)
		}
	}
	return nil
}

// eventLines returns the line of each event's name in a lock file.
func eventLines(data []byte) map[string]int {
	lines := map[string]int{}
	dec := json.NewDecoder(bytes.NewReader(data))
	var keys []string // of the objects that are open
	isKey := false
	for {
		t, err := dec.Token()
		if err != nil {
			return lines
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{', '[':
				keys = append(keys, "")
				isKey = t == '{'
			case '}', ']':
				keys = keys[:len(keys)-1]
				isKey = true
			}
		case string:
			if isKey && len(keys) > 0 {
				if len(keys) == 2 && strings.EqualFold(keys[0], "events") {
					lines[t] = 1 + bytes.Count(data[:dec.InputOffset()], []byte("\n"))
				}
				keys[len(keys)-1] = t
				isKey = false
			} else {
				isKey = true
			}
		default:
			isKey = true
		}
	}
}

func (l *lockFile) write(w io.Writer) error { return writeJSON(w, l) }

// change is one difference between a lock file and the program.
type change struct {
	event, path string // path is empty where the whole event is meant
	how         verdict
	text        string
	was         lockedKind
	at          *maker  // who does it, or nil
	by          *reader // who asks for it, or nil
}

// verdict says what a change does to those who read an event.
type verdict int

const (
	harmless verdict = iota
	doubtful         // may break a consumer
	breaking
)

// changes compares what was locked with what is now, event by event and path by
// path. mayMake tells of an event whether it may be made out of sight.
func changes(old *lockFile, cs []*contract, mayMake func(event string) bool) []change {
	var out []change
	now := map[string]*contract{}
	for _, c := range cs {
		now[c.event.String()] = c
	}
	for _, e := range slices.Sorted(maps.Keys(old.Events)) {
		was, c := old.Events[e], now[e]
		is := &lockedEvent{}
		if c != nil {
			is = c.lock()
		}
		switch {
		case was.Produced != nil && is.Produced == nil && mayMake(e):
			out = append(out, change{event: e, how: doubtful, text: "nothing is seen to make it any more"})
		case was.Produced != nil && is.Produced == nil:
			out = append(out, change{event: e, how: breaking, text: "nothing makes it any more"})
		case was.Produced != nil:
			for _, ch := range compareLocked(was.Produced, is.Produced) {
				ch.event, ch.at = e, c.culprit(ch)
				out = append(out, ch)
			}
		case is.Produced != nil:
			out = append(out, change{event: e, how: harmless, text: "it is made here now"})
		default:
			out = append(out, asked(e, was, is, c)...)
		}
		for _, h := range slices.Sorted(maps.Keys(was.Consumed)) {
			if !hasKey(is.Consumed, h) {
				out = append(out, change{event: e, how: harmless, text: h + " handles it no more"})
			}
		}
		for _, h := range slices.Sorted(maps.Keys(is.Consumed)) {
			switch locked, ok := was.Consumed[h]; {
			case !ok:
				out = append(out, change{event: e, how: harmless, text: h + " handles it now"})
			case is.Produced != nil && !maps.EqualFunc(locked, is.Consumed[h], lockedKind.equal):
				out = append(out, change{event: e, how: harmless, text: h + " reads something else"})
			}
		}
	}
	for _, c := range cs {
		if old.Events[c.event.String()] == nil {
			out = append(out, change{event: c.event.String(), how: harmless, text: "it is new"})
		}
	}
	return out
}

func hasKey[K comparable, V any](m map[K]V, k K) bool {
	_, ok := m[k]
	return ok
}

func (k lockedKind) equal(o lockedKind) bool {
	return k.optional == o.optional && slices.Equal(k.kinds, o.kinds)
}

// compareLocked returns what changed of a payload for those who read it.
func compareLocked(was, is lockedShape) []change {
	var out []change
	done := map[string]bool{} // paths whose parts go without saying
	add := func(path string, how verdict, format string, args ...any) {
		out = append(out, change{path: path, how: how, text: fmt.Sprintf(format, args...), was: was[path]})
	}
	paths := slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(is)))
	slices.SortFunc(paths, func(x, y string) int { // the whole before its parts
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	})
	for _, path := range slices.Compact(paths) {
		parent, _ := lockedParent(path)
		if done[parent] && path != "." {
			done[path] = true
			continue
		}
		old, before := was[path]
		k, after := is[path]
		what := lockedField(path)
		switch {
		case !before:
			done[path] = true
			add(path, harmless, "%s is new", what)
		case !after && is.folded(path) != "":
			done[path] = true
			add(path, doubtful, "%s is written as %s now, which Go reads all the same and others may not", what, lockedField(is.folded(path)))
		case !after && (is.has(strings.TrimSuffix(parent, ".")+".*") || slices.Contains(is[parent].kinds, kindAnything)):
			done[path] = true
			add(path, doubtful, "%s can't be seen to be written any more", what)
		case !after:
			done[path] = true
			add(path, breaking, "%s is not written any more", what)
		default:
			how := fitKinds(k.kinds, old.kinds)
			if k.optional && !old.optional {
				how = max(how, doubtful)
			}
			switch {
			case how == breaking:
				done[path] = true
				add(path, breaking, "%s was %s, and is %s", what, old, k)
			case !k.equal(old):
				add(path, how, "%s was %s, and is %s", what, old, k)
			}
		}
	}
	return out
}

// lockedField names a part of a payload in a sentence.
func lockedField(path string) string {
	if path == "." {
		return "the payload"
	}
	return strconv.Quote(strings.TrimPrefix(path, "."))
}

// fitKinds says what becomes of those who read any of the kinds was, where one
// of the kinds is comes.
func fitKinds(is, was []string) verdict {
	worst, best := harmless, breaking
	for _, w := range is {
		fit := breaking
		for _, r := range was {
			fit = min(fit, fitKind(w, r))
		}
		if w == kindNone && fit != harmless {
			fit = doubtful // zero values
		} else {
			best = min(best, fit)
		}
		worst = max(worst, fit)
	}
	if worst == doubtful && best == breaking {
		return breaking // no payload, ever
	}
	return worst
}

// fitKind says whether what reads kind r can read kind w.
func fitKind(w, r string) verdict {
	texts := []string{"string", "time", "base64"}
	wq, rq := strings.HasSuffix(w, inString), strings.HasSuffix(r, inString)
	wn, rn := lockedNumber(strings.TrimSuffix(w, inString)), lockedNumber(strings.TrimSuffix(r, inString))
	switch {
	case w == r, r == kindAnything, r == kindNone:
		return harmless
	case w == kindAnything:
		return doubtful
	case wn != nil && rn != nil && wq == rq:
		if overflow(wn, rn) != "" {
			return doubtful
		}
		return harmless
	case r == "string" && (wq || slices.Contains(texts, w)):
		return harmless
	case slices.Contains(texts, w) && (rq || slices.Contains(texts, r)):
		return doubtful
	}
	return breaking
}

func lockedNumber(kind string) *shape {
	bits := func(prefix string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(kind, prefix))
		return n
	}
	switch {
	case kind == "number":
		return &shape{kind: number, float: true, bits: 64}
	case strings.HasPrefix(kind, "float"):
		return &shape{kind: number, float: true, bits: bits("float")}
	case strings.HasPrefix(kind, "int"):
		return &shape{kind: number, signed: true, bits: bits("int")}
	case strings.HasPrefix(kind, "uint"):
		return &shape{kind: number, bits: bits("uint")}
	}
	return nil
}

// culprit returns the maker that brings a change about.
func (c *contract) culprit(ch change) *maker {
	for _, mk := range c.makers {
		for _, sh := range mk.written() {
			k, ok := sh[ch.path]
			parent, _ := lockedParent(ch.path)
			switch {
			case !ok && sh.has(parent), ok && k.optional && !ch.was.optional, ok && fitKinds(k.kinds, ch.was.kinds) != harmless:
				return mk
			}
		}
	}
	if len(c.makers) > 0 {
		return c.makers[0]
	}
	return nil
}

// asked compares what handlers read of an event that is made elsewhere, by
// programs that go on to write what was asked for.
func asked(e string, was, is *lockedEvent, c *contract) []change {
	var out []change
	if c == nil {
		return nil
	}
	var all []lockedShape
	for _, sh := range was.Consumed {
		all = append(all, sh)
	}
	wrote := mergeShapes(all)
	for _, h := range slices.Sorted(maps.Keys(is.Consumed)) {
		var by *reader
		for _, rd := range c.readers {
			if rd.r.handler == h {
				by = rd
				break
			}
		}
		for _, path := range slices.Sorted(maps.Keys(is.Consumed[h])) {
			k := is.Consumed[h][path]
			old, ok := wrote[path]
			parent, _ := lockedParent(path)
			switch {
			case len(all) == 0 || slices.Contains(wrote["."].kinds, kindAnything) && !ok:
			case !ok && wrote.has(parent):
				out = append(out, change{event: e, path: path, how: doubtful, by: by, text: fmt.Sprintf("%s reads %s, which was not asked for of those who make it elsewhere", h, lockedField(path))})
			case ok && fitKinds(old.kinds, k.kinds) == breaking:
				out = append(out, change{event: e, path: path, how: breaking, by: by, text: fmt.Sprintf("%s was read as %s, and %s reads %s; it is made elsewhere", lockedField(path), old, h, k)})
			}
		}
	}
	return out
}

// readersOf names the handlers that read a path.
func readersOf(path string, e *lockedEvent) []string {
	var out []string
	for _, h := range slices.Sorted(maps.Keys(e.Consumed)) {
		if e.Consumed[h].has(path) && (path != "." || len(e.Consumed[h]) > 1) {
			out = append(out, h)
		}
	}
	return out
}

// checkLock compares the wiring with a lock file. It adds what breaks a consumer
// to the findings, as errors, and what may, as warnings; what breaks nobody it
// returns.
func (a *model) checkLock(file string) (fine []change, err error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.src.dir, path)
	}
	old, err := readLock(path, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no lock file %s; write one with eventbus lock, and commit it", file)
	}
	if err != nil {
		return nil, err
	}
	cs := a.contracts()
	all := changes(old, cs, func(e string) bool {
		d, act, _ := strings.Cut(e, "/")
		return a.mayMake(name{d, act})
	})
	for _, ch := range all {
		if ch.how == harmless {
			fine = append(fine, ch)
			continue
		}
		text := ch.text
		if ch.by == nil {
			text += "; " + whom(ch, old, cs)
		}
		text += "; put it back, or accept it with eventbus lock"
		pos := token.NoPos
		if ch.at != nil {
			pos = a.src.start(ch.at.pos)
		} else if ch.by != nil {
			pos = a.src.start(ch.by.r.place)
		}
		f := finding{Check: "lock", Warning: ch.how == doubtful, Event: ch.event, Text: text, pos: a.src.fset.Position(pos)}
		if a.mine[f.pos.Filename] {
			f.Place = a.src.place(pos)
		} else {
			f.pos = token.Position{Filename: path, Line: max(old.lines[ch.event], 1), Column: 1}
			f.Place = fmt.Sprintf("%s:%d:1", filepath.ToSlash(file), f.pos.Line)
		}
		a.findings = append(a.findings, f)
	}
	return fine, nil
}

// whom says who reads what changed.
func whom(ch change, old *lockFile, cs []*contract) string {
	path := cmp.Or(ch.path, ".")
	var now []string
	i := slices.IndexFunc(cs, func(c *contract) bool { return c.event.String() == ch.event })
	if i >= 0 {
		e := cs[i].lock()
		if now = readersOf(path, e); ch.path == "" {
			now = slices.Sorted(maps.Keys(e.Consumed))
		}
	}
	then := readersOf(path, old.Events[ch.event])
	if ch.path == "" {
		then = slices.Sorted(maps.Keys(old.Events[ch.event].Consumed))
	}
	verb, past := "reads", "read"
	if ch.path == "" {
		verb, past = "handles", "handled"
	}
	if len(now) > 1 {
		verb = strings.TrimSuffix(verb, "s")
	}
	switch {
	case len(now) > 0:
		return strings.Join(now, " and ") + " " + verb + " it"
	case len(then) > 0:
		return strings.Join(then, " and ") + " " + past + " it when the lock file was written"
	}
	return "nobody here " + verb + " it, but others may, behind a queue or a broker"
}

func readLock(path, file string) (*lockFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the lock file %s can't be read: %w", file, pe.Err)
		}
		return nil, err
	}
	l, err := parseLock(data)
	if _, ok := errors.AsType[*newerError](err); ok {
		return nil, fmt.Errorf("the lock file %s %w", file, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the lock file %s is broken: %w; restore it, or write it anew with eventbus lock", file, err)
	}
	return l, nil
}

// lockSummary puts what breaks nobody in one line.
func lockSummary(file string, fine []change) string {
	var parts []string
	for i, ch := range fine {
		if i == 5 {
			parts = append(parts, fmt.Sprintf("and %d more", len(fine)-i))
			break
		}
		parts = append(parts, ch.event+": "+ch.text)
	}
	return fmt.Sprintf("%s: %s that nobody breaks by: %s. eventbus lock takes them in", file, plural(len(fine), "change"), strings.Join(parts, "; "))
}

// lockFlag is the flag -lock, with or without =file.
type lockFlag struct{ file *string }

func (f lockFlag) String() string {
	if f.file == nil {
		return ""
	}
	return *f.file
}

func (f lockFlag) IsBoolFlag() bool { return true }

func (f lockFlag) Set(s string) error {
	switch s {
	case "true":
		s = lockName
	case "false":
		s = ""
	}
	*f.file = s
	return nil
}

var lockCommand = &command{
	name: "lock", args: "[flags] [packages]", short: "writes the contracts of all events to a file to commit",
	long: `Lock writes down what each event carries, and what each handler reads of it, to a
file to commit. From then on

  eventbus check -lock ./...

tells a change that breaks who consumes an event from one that doesn't, also
where the consumer is not in sight: behind a queue with last week's events in it,
or a broker. Run both on the same packages and with the same build tags.

An error, in the usual form, with [lock] at its end: a field that is not written
any more, one of another kind (a number that was a string), an event that nothing
makes any more. Of an event that is made elsewhere: a field read as another kind.
A warning: a field that may be left out now, a number that may not fit, a text
that was a time, whatever is known only when the program runs.
Fine: a new event, a new field, an optional field that is always there now, a
narrower number, and who handles what. They stand in one line on standard error.

A change that is meant is accepted by running eventbus lock again: the file's diff
then shows it to who reviews it. In the file, "." is the whole payload, ".user" a
field, ".items[]" what an array holds, ".prices.*" what a map holds; handlers that
take an event as it comes read "anything". It holds no places and no times, so
that it changes only when a contract does.

Exit status: 0 written, 2 the program can't be loaded, or not all of it, or the
file can't be written. A lock file of a newer eventbus is left alone.
`,
	run: runLock,
}

func runLock(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	fail := func(err error) int {
		fmt.Fprintf(errw, "eventbus: %v\n", err)
		return exitFailed
	}
	if len(a.src.broken) > 0 {
		return fail(errors.New("not all of the program could be loaded; no lock file is written"))
	}
	l := newLock(a.contracts())
	if o.out == "-" {
		if err := l.write(out); err != nil {
			return fail(err)
		}
		return exitFine
	}
	path := o.out
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.src.dir, path)
	}
	if _, err := readLock(path, o.out); err != nil {
		if _, ok := errors.AsType[*newerError](err); ok {
			return fail(err)
		}
	}
	var b bytes.Buffer
	if err := l.write(&b); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		return fail(fmt.Errorf("the lock file %s can't be written: %w", o.out, err))
	}
	fmt.Fprintf(errw, "eventbus: wrote %s: %s\n", o.out, plural(len(l.Events), "event"))
	return exitFine
}
