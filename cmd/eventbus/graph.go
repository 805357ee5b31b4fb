package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"os/exec"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/tools/go/ssa"
)

// graph is who sets off whom: the domains, and the events that go from one to
// the others.
type graph struct {
	Domains []string       `json:"domains"` // sorted
	Events  []graphEvent   `json:"events"`  // sorted
	Unknown []unknownEntry `json:"unknown"` // not drawn: known only at run time
}

type graphEvent struct {
	Event    string     `json:"event"`
	Domain   string     `json:"domain"`
	Action   string     `json:"action"`
	Makers   []graphEnd `json:"makers"`
	Handlers []graphEnd `json:"handlers"`
}

// graphEnd is where an event comes from or goes to.
type graphEnd struct {
	Domain string `json:"domain"`
	Func   string `json:"func"`
	Place  string `json:"place"` // file:line
}

// graph draws exact and domain handlers; those of every event, such as an audit,
// would hide all the rest and are left out.
func (a *model) graph() graph {
	g := graph{Domains: []string{}, Events: []graphEvent{}, Unknown: []unknownEntry{}}
	home := a.homes()
	index := map[name]*graphEvent{}
	at := func(n name) *graphEvent {
		if index[n] == nil {
			index[n] = &graphEvent{Event: n.String(), Domain: n.domain, Action: n.action, Makers: []graphEnd{}, Handlers: []graphEnd{}}
		}
		return index[n]
	}
	add := func(list *[]graphEnd, e graphEnd) {
		if !slices.Contains(*list, e) {
			*list = append(*list, e)
		}
	}
	for i, w := range a.wirings {
		for _, m := range w.made {
			if m.known() && m.received == nil {
				add(&at(m.name).Makers, graphEnd{home[a.packageAt(m.place, m.fn)], funcName(m.fn), a.src.line(m.place)})
			}
		}
		for _, r := range w.registrations {
			if !r.known() || r.domain == wild || r.received != nil {
				continue
			}
			end := graphEnd{home[a.handlerPackage(r)], r.handler, a.src.line(r.place)}
			if r.action != wild {
				add(&at(r.name).Handlers, end)
				continue
			}
			for _, m := range w.made {
				if m.known() && m.received == nil && r.covers(m.name) {
					add(&at(m.name).Handlers, end)
				}
			}
		}
		for _, u := range a.unknowns(i) {
			if !slices.Contains(g.Unknown, u) {
				g.Unknown = append(g.Unknown, u)
			}
		}
	}
	for _, e := range index {
		slices.SortFunc(e.Makers, func(x, y graphEnd) int { return cmp.Or(cmp.Compare(x.Place, y.Place), cmp.Compare(x.Func, y.Func)) })
		g.Events = append(g.Events, *e)
		g.Domains = append(g.Domains, e.Domain)
		for _, end := range slices.Concat(e.Makers, e.Handlers) {
			g.Domains = append(g.Domains, end.Domain)
		}
	}
	slices.SortFunc(g.Events, func(x, y graphEvent) int {
		return cmp.Or(cmp.Compare(x.Domain, y.Domain), cmp.Compare(x.Action, y.Action))
	})
	slices.Sort(g.Domains)
	g.Domains = slices.Compact(g.Domains)
	return g
}

// homes tells for each package which domain it is: the one that it is named
// after, or that it alone makes events of and of no other; else the package is a
// box of its own, named by what is left of its path without the folders that all
// packages share.
func (a *model) homes() map[string]string {
	domains := map[string]bool{}
	makes, madeBy := map[string]map[string]bool{}, map[string]map[string]bool{}
	put := func(m map[string]map[string]bool, k, v string) {
		if m[k] == nil {
			m[k] = map[string]bool{}
		}
		m[k][v] = true
	}
	var paths []string
	for _, w := range a.wirings {
		for _, m := range w.made {
			p := a.packageAt(m.place, m.fn)
			paths = append(paths, p)
			if m.known() && m.received == nil {
				domains[m.domain] = true
				put(makes, p, m.domain)
				put(madeBy, m.domain, p)
			}
		}
		for _, r := range w.registrations {
			paths = append(paths, a.handlerPackage(r))
		}
	}
	home := shorten(paths)
	for p := range home {
		if last := p[strings.LastIndexByte(p, '/')+1:]; domains[last] {
			home[p] = last
			continue
		}
		for d := range makes[p] {
			if len(makes[p]) == 1 && len(madeBy[d]) == 1 && !a.isMain(p) {
				home[p] = d
			}
		}
	}
	return home
}

// handlerPackage returns the package that reacts: the one that registers, which
// may use a helper of another, unless that is a main that wires everybody.
func (a *model) handlerPackage(r *registration) string {
	p := a.packageAt(r.place, r.site.fn)
	if a.isMain(p) && r.fn.kind == function && a.mine[a.src.fset.Position(r.at).Filename] {
		return a.packageAt(r.at, r.fn.fn)
	}
	return p
}

func (a *model) isMain(path string) bool {
	p := a.src.byPath[path]
	return p != nil && p.Name == "main"
}

// packageAt returns the package that place is in, or that of fn.
func (a *model) packageAt(place pos, fn *ssa.Function) string {
	file := a.src.fset.Position(place).Filename
	for _, p := range a.src.pkgs {
		if slices.Contains(p.CompiledGoFiles, file) {
			return p.PkgPath
		}
	}
	return pkgPath(fn)
}

// shorten leaves out of import paths the folders that all of them share.
func shorten(paths []string) map[string]string {
	out := map[string]string{}
	if len(paths) == 0 {
		return out
	}
	shared := strings.Split(paths[0], "/")
	shared = shared[:len(shared)-1]
	for _, p := range paths {
		parts := strings.Split(p, "/")
		n := 0
		for n < len(shared) && n < len(parts)-1 && shared[n] == parts[n] {
			n++
		}
		shared = shared[:n]
	}
	for _, p := range paths {
		out[p] = strings.Join(strings.Split(p, "/")[len(shared):], "/")
	}
	return out
}

// to returns the domains, other than its own, that handle e.
func (e graphEvent) to() []string {
	var out []string
	for _, h := range e.Handlers {
		if h.Domain != e.Domain && !slices.Contains(out, h.Domain) {
			out = append(out, h.Domain)
		}
	}
	slices.Sort(out)
	return out
}

// strangers returns the domains that make e and aren't its own.
func (e graphEvent) strangers() []string {
	var out []string
	for _, m := range e.Makers {
		if m.Domain != e.Domain && !slices.Contains(out, m.Domain) {
			out = append(out, m.Domain)
		}
	}
	slices.Sort(out)
	return out
}

// drawing is a graph in Graphviz's language, and which parts of the picture
// belong to each event, by their id there.
type drawing struct {
	dot   string
	parts []eventParts // as graph.Events
}

type eventParts struct {
	Cell  string   `json:"cell"`
	Boxes []string `json:"boxes"`
	Edges []string `json:"edges"`
}

// The colours of a picture. The page looks for them, to change them in the dark.
const (
	boxColour   = "#dbe8f5"
	lineColour  = "#4a6f94"
	edgeColour  = "#667788"
	cellColour  = "#ffffff"
	alarmColour = "#f9d9d4"
)

// manyArrows is how many of them nobody can follow any more.
const manyArrows = 40

// draw makes each domain a box that lists its events. Events that go the same
// ways share a part of the box and its arrows: an arrow for every event would
// cover the page. Where there are too many all the same, the boxes stand in rows,
// each event says where it goes, and the arrows are faint.
func (g graph) draw() drawing {
	d := drawing{parts: make([]eventParts, len(g.Events))}
	var b, edges strings.Builder
	dense := g.arrows() > manyArrows
	colour, layout := edgeColour, "rankdir=LR; nodesep=0.25; ranksep=1.2"
	if dense {
		colour, layout = edgeColour+"38", "layout=osage; pack=16; packmode=array_tu; outputorder=edgesfirst; splines=line"
	}
	fmt.Fprintf(&b, "digraph events {\n\t%s; bgcolor=transparent\n"+
		"\tnode [shape=plain, fontname=\"Helvetica\", fontsize=11]\n"+
		"\tedge [color=%q, arrowsize=0.7]\n", layout, colour)
	box := map[string]string{}
	for i, dom := range g.Domains {
		box[dom] = fmt.Sprintf("d%d", i)
	}
	arrows := 0
	for at, dom := range g.Domains {
		fmt.Fprintf(&b, "\t%s [id=%q, sortv=%d, tooltip=%s, label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=%q><TR><TD PORT=\"h\" BGCOLOR=%q><B>%s</B></TD></TR>",
			box[dom], box[dom], at+1, dotQuote(dom), lineColour, boxColour, dotText(dom))
		for n, events := range g.ways(dom) {
			first := g.Events[events[0]]
			fill := cellColour
			if len(first.Makers) == 0 || len(first.Handlers) == 0 {
				fill = alarmColour
			}
			fmt.Fprintf(&b, "<TR><TD PORT=\"p%d\" BGCOLOR=%q CELLPADDING=\"3\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">", n, fill)
			for _, i := range events {
				e := g.Events[i]
				d.parts[i] = eventParts{Cell: fmt.Sprintf("e%d", i), Boxes: []string{box[dom]}}
				fmt.Fprintf(&b, "<TR><TD ALIGN=\"LEFT\" ID=%q TITLE=\"%s\">%s</TD></TR>", d.parts[i].Cell, tip(e), dotText(e.Action+e.mark(dense)))
			}
			b.WriteString("</TABLE></TD></TR>")
			arrow := func(from, to, other, style string) {
				id := fmt.Sprintf("a%d", arrows)
				arrows++
				var names []string
				for _, i := range events {
					names = append(names, g.Events[i].Event)
					d.parts[i].Edges = append(d.parts[i].Edges, id)
					if !slices.Contains(d.parts[i].Boxes, other) {
						d.parts[i].Boxes = append(d.parts[i].Boxes, other)
					}
				}
				fmt.Fprintf(&edges, "\t%s -> %s [id=%q, tooltip=%s%s]\n", from, to, id, dotQuote(strings.Join(names, "\n")), style)
			}
			port := fmt.Sprintf("%s:p%d", box[dom], n)
			for _, s := range first.strangers() {
				arrow(box[s]+":h", port, box[s], ", style=dashed")
			}
			for _, to := range first.to() {
				arrow(port, box[to]+":h", box[to], "")
			}
		}
		b.WriteString("</TABLE>>]\n")
	}
	d.dot = b.String() + edges.String() + "}\n"
	return d
}

// ways returns the events of a domain, those that go the same ways together.
func (g graph) ways(domain string) [][]int {
	var out [][]int
	index := map[string]int{}
	for i, e := range g.Events {
		if e.Domain != domain {
			continue
		}
		key := fmt.Sprintf("%q %q %v %v", e.strangers(), e.to(), len(e.Makers) == 0, len(e.Handlers) == 0)
		if at, ok := index[key]; ok {
			out[at] = append(out[at], i)
			continue
		}
		index[key] = len(out)
		out = append(out, []int{i})
	}
	return out
}

func (g graph) arrows() int {
	n := 0
	for _, dom := range g.Domains {
		for _, events := range g.ways(dom) {
			n += len(g.Events[events[0]].strangers()) + len(g.Events[events[0]].to())
		}
	}
	return n
}

// mark says in the box what no arrow says, or none that can be followed.
func (e graphEvent) mark(dense bool) string {
	s := ""
	if from := e.strangers(); dense && len(from) > 0 {
		s = " (made by " + strings.Join(from, ", ") + ")"
	}
	if len(e.Makers) == 0 {
		s = " (nobody makes it)"
	}
	if len(e.Handlers) == 0 {
		return s + " (nobody handles it)"
	}
	if slices.ContainsFunc(e.Handlers, func(h graphEnd) bool { return h.Domain == e.Domain }) {
		s += " \u21ba"
	}
	if to := e.to(); dense && len(to) > 0 {
		s += " \u2192 " + strings.Join(to, ", ")
	}
	return s
}

func tip(e graphEvent) string {
	lines := []string{dotText(e.Event)}
	for _, m := range e.Makers {
		lines = append(lines, dotText("made in "+m.Func+" "+m.Place))
	}
	for _, h := range e.Handlers {
		lines = append(lines, dotText("handled by "+h.Func+" "+h.Place))
	}
	return strings.Join(lines, "&#10;")
}

// dotText writes s for an HTML-like label.
func dotText(s string) string { return html.EscapeString(printable(s)) }

// dotQuote writes s as a quoted string of Graphviz.
func dotQuote(s string) string {
	var lines []string
	for l := range strings.SplitSeq(s, "\n") {
		lines = append(lines, printable(l))
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.Join(lines, "\n")) + `"`
}

// printable replaces what an SVG can't have, which is XML.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// mermaid writes the graph as Markdown pages show it: one arrow for all events
// between two domains. The arrow starts at the domain that makes them.
func (g graph) mermaid(w io.Writer) {
	fmt.Fprintln(w, "flowchart LR")
	ids := map[string]string{}
	id := func(n string) string {
		if ids[n] == "" {
			ids[n] = fmt.Sprintf("n%d", len(ids))
			fmt.Fprintf(w, "  %s[\"%s\"]\n", ids[n], mermaidText(n))
		}
		return ids[n]
	}
	type pair struct{ from, to string }
	var pairs []pair
	events := map[pair][]string{}
	add := func(p pair, event string) {
		if events[p] == nil {
			pairs = append(pairs, p)
		}
		if event = mermaidText(event); !slices.Contains(events[p], event) {
			events[p] = append(events[p], event)
		}
	}
	for _, e := range g.Events {
		makers, handlers := e.Makers, e.Handlers
		if len(makers) == 0 {
			makers = []graphEnd{{Domain: "nobody makes"}}
		}
		if len(handlers) == 0 {
			handlers = []graphEnd{{Domain: "nobody handles"}}
		}
		for _, m := range makers {
			for _, h := range handlers {
				add(pair{m.Domain, h.Domain}, e.Event)
			}
		}
	}
	for _, p := range pairs {
		from, to := id(p.from), id(p.to)
		fmt.Fprintf(w, "  %s -->|\"%s\"| %s\n", from, strings.Join(events[p], "<br>"), to)
	}
}

func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "`", "#96;").Replace(s)
}

// vizJS is Graphviz for the browser; see viz/NOTICE.md.
//
//go:embed viz/viz-global.js
var vizJS string

//go:embed graph.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// page writes the graph as one file that needs nothing else.
func (g graph) page(w io.Writer) error {
	d := g.draw()
	return page.Execute(w, map[string]any{
		"Graph": g, "Dot": d.dot, "Parts": d.parts, "Viz": template.JS(vizJS),
		"Colours": map[string]string{"Box": boxColour, "Line": lineColour, "Edge": edgeColour, "Cell": cellColour, "Alarm": alarmColour},
	})
}

var graphFormats = []string{"mermaid", "dot", "json", "html", "svg"}

var graphCommand = &command{
	name: "graph", args: "[flags] [packages]", short: "draws which domain sets off which",
	long: `Graph draws domains as boxes and events as arrows. A box lists the events of its
domain; arrows lead from them to the domains that handle them, and dashed ones
from other domains that make them. Events that go the same ways share their
arrows; a round arrow marks one that its own domain handles. With more than 40
arrows each event says where it goes, and the arrows are faint. An event that nobody
makes or handles is red. Handlers of every event are left out: they would hide the
rest. A package is the domain that it is named after, or the only one whose events
it alone makes; any other is a box of its own.

Formats: mermaid (the default, for Markdown), dot (for Graphviz), json (with file
and line), html (one page with search that needs nothing but a browser), svg (needs
Graphviz's dot).

  eventbus graph -format html ./... > events.html
`,
	run: runGraph,
}

func runGraph(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	g := a.graph()
	var err error
	switch o.format {
	case "mermaid":
		g.mermaid(out)
	case "dot":
		_, err = io.WriteString(out, g.draw().dot)
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(g)
	case "html":
		err = g.page(out)
	case "svg":
		err = g.svg(ctx, out)
	}
	if err != nil {
		fmt.Fprintf(errw, "eventbus: %v\n", err)
		return exitFailed
	}
	if len(a.src.broken) > 0 {
		return exitFailed
	}
	return exitFine
}

func (g graph) svg(ctx context.Context, out io.Writer) error {
	var msg bytes.Buffer
	cmd := exec.CommandContext(ctx, "dot", "-Tsvg")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(g.draw().dot), out, &msg
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("svg needs Graphviz's dot, which is not in PATH; install it (apt-get install graphviz, brew install graphviz), or take -format html, dot or mermaid")
	case err != nil:
		return fmt.Errorf("dot: %w: %s", err, strings.TrimSpace(msg.String()))
	}
	return nil
}
