package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

type pos = token.Pos

// functions returns the functions of p that have source, closures and all.
func (s *source) functions(p *packages.Package) []*ssa.Function {
	sp := s.ssaOf(p)
	if sp == nil {
		return nil
	}
	var out []*ssa.Function
	var add func(fn *ssa.Function)
	add = func(fn *ssa.Function) {
		if fn == nil {
			return
		}
		out = append(out, fn)
		for _, a := range fn.AnonFuncs {
			add(a)
		}
	}
	add(sp.Func("init"))
	for _, f := range p.Syntax {
		for _, d := range f.Decls {
			if fd, ok := d.(*ast.FuncDecl); ok {
				if obj, ok := p.TypesInfo.Defs[fd.Name].(*types.Func); ok {
					add(s.prog.FuncValue(obj))
				}
			}
		}
	}
	return out
}

// listing is what eventbus list prints, and -json in this form.
type listing struct {
	Events  []eventEntry   `json:"events"`
	Unknown []unknownEntry `json:"unknown"`
}

type eventEntry struct {
	Event     string          `json:"event"`
	Producers []producerEntry `json:"producers"`
	Handlers  []handlerEntry  `json:"handlers"`
	Fields    []fieldEntry    `json:"fields"`
	SetsOff   []string        `json:"sets_off,omitempty"`
}

type producerEntry struct {
	Func    string   `json:"func"`
	Place   string   `json:"place"`
	Types   []string `json:"types"`
	Program string   `json:"program,omitempty"`
}

type handlerEntry struct {
	Name       string   `json:"name"`
	Registered string   `json:"registered"` // file:line
	Source     string   `json:"source"`     // of the function, file:line
	For        string   `json:"for"`        // domain/action as registered
	Reads      []string `json:"reads,omitempty"`
	Dispatches []string `json:"dispatches,omitempty"`
	Program    string   `json:"program,omitempty"`
}

type fieldEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Optional bool   `json:"optional,omitempty"`
}

type unknownEntry struct {
	Kind  string `json:"kind"` // producer, dispatch, registration or handler
	Name  string `json:"name"` // with ? for what is not known
	Place string `json:"place"`
}

// unknowns lists what could not be resolved in program i.
func (a *model) unknowns(i int) []unknownEntry {
	var out []unknownEntry
	add := func(kind string, n name, at token.Pos) {
		if !a.mine[a.src.fset.Position(at).Filename] {
			return
		}
		u := unknownEntry{kind, n.String(), a.src.line(at)}
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	w := a.wirings[i]
	for _, m := range w.made {
		if !m.known() && m.received == nil {
			add("producer", m.name, m.place)
		}
	}
	for _, d := range w.dispatches {
		if !d.known() && a.open(i, d) {
			add("dispatch", d.name, d.place)
		}
	}
	for _, r := range w.registrations {
		if !r.known() && r.received == nil {
			add("registration", r.name, r.place)
		} else if r.fn.kind != function {
			add("handler", r.name, r.place)
		}
	}
	return out
}

// list makes the table of events.
func (a *model) list() listing {
	var l listing
	index := map[name]*eventEntry{}
	var order []name
	at := func(n name) *eventEntry {
		if index[n] == nil {
			index[n] = &eventEntry{Event: n.String()}
			order = append(order, n)
		}
		return index[n]
	}
	for i, w := range a.wirings {
		program := ""
		if len(a.programs) > 1 {
			program = a.programs[i].name
		}
		for _, m := range w.made {
			if !m.known() || m.received != nil {
				continue
			}
			e := at(m.name)
			pr := producerEntry{Func: funcName(m.fn), Place: a.src.line(m.place), Program: program}
			for _, p := range m.payloads {
				sh := p.shape()
				pr.Types = append(pr.Types, sh.name)
				for _, f := range sh.fields {
					fe := fieldEntry{f.name, f.shape.name, f.optional}
					if !slices.ContainsFunc(e.Fields, func(o fieldEntry) bool { return o.Name == fe.Name && o.Type == fe.Type }) {
						e.Fields = append(e.Fields, fe)
					}
				}
			}
			if m.unknown {
				pr.Types = append(pr.Types, "unknown")
			}
			if !slices.ContainsFunc(e.Producers, func(o producerEntry) bool { return o.Place == pr.Place && o.Func == pr.Func && o.Program == pr.Program }) {
				e.Producers = append(e.Producers, pr)
			}
		}
		for _, d := range w.dispatches {
			if d.known() && d.received == nil {
				at(d.name)
			}
		}
		for _, r := range w.registrations {
			if r.known() && r.received == nil {
				at(r.name)
			}
		}
	}
	for i, w := range a.wirings {
		program := ""
		if len(a.programs) > 1 {
			program = a.programs[i].name
		}
		consumers := a.consumers(i)
		edges := a.edges(i)
		for _, n := range order {
			e := index[n]
			for _, r := range w.registrations {
				if !r.known() || r.received != nil || r.name != n && (n.domain == wild || n.action == wild || !r.covers(n)) {
					continue
				}
				h := handlerEntry{Name: r.handler, Registered: a.src.line(r.place), Source: a.src.line(r.at), For: r.String(), Program: program}
				for _, c := range consumers {
					if c.r == r && a.reads(i, c, n) {
						h.Reads = append(h.Reads, shapeOf(c.typ, true).name)
					}
				}
				for _, ed := range edges {
					if ed.r == r && ed.from == n && !slices.Contains(h.Dispatches, ed.to.String()) {
						h.Dispatches = append(h.Dispatches, ed.to.String())
					}
				}
				if !slices.ContainsFunc(e.Handlers, func(o handlerEntry) bool {
					return o.Name == h.Name && o.Registered == h.Registered && o.Program == h.Program && o.For == h.For
				}) {
					e.Handlers = append(e.Handlers, h)
				}
			}
		}
		for _, u := range a.unknowns(i) {
			if !slices.Contains(l.Unknown, u) {
				l.Unknown = append(l.Unknown, u)
			}
		}
	}
	slices.SortFunc(order, func(x, y name) int { return cmp.Or(cmp.Compare(x.domain, y.domain), cmp.Compare(x.action, y.action)) })
	for _, n := range order {
		e := index[n]
		for _, h := range e.Handlers {
			for _, d := range h.Dispatches {
				if !slices.Contains(e.SetsOff, d) {
					e.SetsOff = append(e.SetsOff, d)
				}
			}
		}
		l.Events = append(l.Events, *e)
	}
	return l
}

var listCommand = &command{
	name: "list", args: "[flags] [domain/action] [packages]", short: "shows who makes and who handles each event",
	long: `List prints the table of events: who makes each, with what fields, and who handles
it, in the order of registration, with file and line. With an event, such as
user/created, it prints that one. At the end stands what is known only when the
program runs.
`,
	run: runList,
}

func runList(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, events, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	l := a.list()
	if len(events) > 0 {
		for _, e := range events {
			if !slices.ContainsFunc(l.Events, func(x eventEntry) bool { return x.Event == e }) {
				d, act, _ := strings.Cut(e, "/")
				hint := ""
				for _, x := range l.Events {
					xd, xa, _ := strings.Cut(x.Event, "/")
					if near(name{d, act}, name{xd, xa}) {
						hint = "; did you mean " + x.Event + "?"
					}
				}
				fmt.Fprintf(errw, "eventbus: there is no event %s%s\n", e, hint)
				return exitFindings
			}
		}
		l.Events = slices.DeleteFunc(l.Events, func(x eventEntry) bool { return !slices.Contains(events, x.Event) })
		l.Unknown = nil
	}
	if o.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if l.Events == nil {
			l.Events = []eventEntry{}
		}
		if l.Unknown == nil {
			l.Unknown = []unknownEntry{}
		}
		if err := enc.Encode(l); err != nil {
			fmt.Fprintf(errw, "eventbus: %v\n", err)
			return exitFailed
		}
	} else {
		l.print(out, coloured(out))
	}
	if len(a.src.broken) > 0 {
		return exitFailed
	}
	return exitFine
}

func (l listing) print(w io.Writer, colour bool) {
	bold := func(s string) string {
		if colour {
			return "\033[1m" + s + "\033[0m"
		}
		return s
	}
	in := func(program string) string {
		if program == "" {
			return ""
		}
		return "  in " + program
	}
	for i, e := range l.Events {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, bold(e.Event))
		if len(e.Fields) > 0 {
			var fs []string
			for _, f := range e.Fields {
				s := f.Name + " " + f.Type
				if f.Optional {
					s = f.Name + "? " + f.Type
				}
				fs = append(fs, s)
			}
			fmt.Fprintf(w, "  fields   %s\n", strings.Join(fs, ", "))
		}
		for _, p := range e.Producers {
			fmt.Fprintf(w, "  made     %s  %s%s%s\n", p.Place, p.Func, typesOf(p.Types), in(p.Program))
		}
		for _, h := range e.Handlers {
			s := fmt.Sprintf("  handled  %s  %s%s", h.Registered, h.Name, typesOf(h.Reads))
			if h.For != e.Event {
				s += "  as " + h.For
			}
			if len(h.Dispatches) > 0 {
				s += "  -> " + strings.Join(h.Dispatches, ", ")
			}
			fmt.Fprintln(w, s+in(h.Program))
		}
		if len(e.Producers) == 0 && !strings.Contains(e.Event, wild) {
			fmt.Fprintln(w, "  made     nowhere")
		}
		if len(e.Handlers) == 0 {
			fmt.Fprintln(w, "  handled  nowhere")
		}
	}
	if len(l.Unknown) > 0 {
		fmt.Fprintf(w, "\n%s\n", bold("unknown before run time"))
		for _, u := range l.Unknown {
			fmt.Fprintf(w, "  %-12s %s  %s\n", u.Kind, u.Place, u.Name)
		}
	}
}

func typesOf(ts []string) string {
	ts = slices.Compact(slices.Clone(ts))
	if len(ts) == 0 {
		return ""
	}
	return " (" + strings.Join(ts, ", ") + ")"
}
