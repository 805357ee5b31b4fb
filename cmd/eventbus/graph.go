package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// graph is who talks to whom: an arrow for each event from a package that makes
// it to a package that handles it.
type graph struct {
	Nodes []string `json:"nodes"` // import paths, or what is left without the part they share
	Edges []arrow  `json:"edges"`
}

type arrow struct {
	From     string   `json:"from"` // empty where nothing makes it
	To       string   `json:"to"`   // empty where nothing handles it
	Event    string   `json:"event"`
	Made     []string `json:"made"`     // file:line
	Handlers []string `json:"handlers"` // name file:line
}

// graph draws exact and domain handlers; those of every event, such as an audit,
// would hide all the rest and are left out.
func (a *model) graph() graph {
	var g graph
	type key struct{ from, to, event string }
	index := map[key]*arrow{}
	var order []key
	at := func(k key) *arrow {
		if index[k] == nil {
			index[k] = &arrow{From: k.from, To: k.to, Event: k.event}
			order = append(order, k)
		}
		return index[k]
	}
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	var paths []string
	for _, w := range a.wirings {
		for _, m := range w.made {
			add(&paths, a.packageAt(m.site))
		}
		for _, r := range w.registrations {
			add(&paths, a.packageAt(r.site))
		}
	}
	short := shorten(paths)
	for _, w := range a.wirings {
		for _, m := range w.made {
			if !m.known() || m.received != nil {
				continue
			}
			from := short[a.packageAt(m.site)]
			handled := false
			for _, r := range w.registrations {
				if !r.known() || r.domain == wild || !r.covers(m.name) {
					continue
				}
				handled = true
				ar := at(key{from, short[a.packageAt(r.site)], m.String()})
				add(&ar.Made, a.src.line(m.place))
				add(&ar.Handlers, r.handler+" "+a.src.line(r.place))
			}
			if !handled {
				add(&at(key{from, "", m.String()}).Made, a.src.line(m.place))
			}
		}
		for _, r := range w.registrations {
			if !r.known() || r.domain == wild || r.action == wild || r.received != nil {
				continue
			}
			if !slices.ContainsFunc(w.made, func(m *made) bool { return m.known() && r.covers(m.name) }) {
				add(&at(key{"", short[a.packageAt(r.site)], r.String()}).Handlers, r.handler+" "+a.src.line(r.place))
			}
		}
	}
	slices.SortFunc(order, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.to, y.to), cmp.Compare(x.event, y.event))
	})
	for _, k := range order {
		g.Edges = append(g.Edges, *index[k])
		for _, n := range []string{k.from, k.to} {
			if n != "" {
				add(&g.Nodes, n)
			}
		}
	}
	slices.Sort(g.Nodes)
	return g
}

// packageAt returns the package that s is written in: of the caller where a
// helper does the call.
func (a *model) packageAt(s site) string {
	file := a.src.fset.Position(s.place).Filename
	for _, p := range a.src.pkgs {
		if slices.Contains(p.CompiledGoFiles, file) {
			return p.PkgPath
		}
	}
	return pkgPath(s.fn)
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

// byPair groups the events that go the same way, so that one arrow has them all.
func (g graph) byPair() (pairs [][2]string, events map[[2]string][]arrow) {
	events = map[[2]string][]arrow{}
	for _, e := range g.Edges {
		k := [2]string{cmp.Or(e.From, "nobody makes"), cmp.Or(e.To, "nobody handles")}
		if events[k] == nil {
			pairs = append(pairs, k)
		}
		events[k] = append(events[k], e)
	}
	return pairs, events
}

// dot writes the graph for Graphviz. The events are boxes of their own between
// the packages, so that an event with many handlers is one box, not many labels
// on crossing arrows.
func (g graph) dot(w io.Writer) {
	fmt.Fprint(w, "digraph events {\n\trankdir=LR; nodesep=0.15; ranksep=0.8\n\tnode [fontname=\"Helvetica\", fontsize=11]\n\tedge [color=\"#667788\", arrowsize=0.7]\n")
	for _, n := range g.Nodes {
		fmt.Fprintf(w, "\t%q [label=%q, shape=box, style=\"filled,rounded\", fillcolor=\"#dbe8f5\", color=\"#4a6f94\"]\n", "p:"+n, n)
	}
	type half struct{ a, b string }
	seen := map[half]bool{}
	line := func(a, b, tip string) {
		if !seen[half{a, b}] {
			seen[half{a, b}] = true
			fmt.Fprintf(w, "\t%q -> %q [tooltip=%q]\n", a, b, tip)
		}
	}
	done := map[string]bool{}
	for _, e := range g.Edges {
		if !done[e.Event] {
			done[e.Event] = true
			colour := "#ffffff"
			if e.To == "" || e.From == "" {
				colour = "#f9d9d4"
			}
			fmt.Fprintf(w, "\t%q [label=%q, shape=box, height=0.2, fontsize=10, style=filled, fillcolor=%q, color=\"#aab4be\", tooltip=%q]\n",
				"e:"+e.Event, e.Event, colour, strings.Join(append(slices.Clone(e.Made), e.Handlers...), "\n"))
		}
		if e.From != "" {
			line("p:"+e.From, "e:"+e.Event, strings.Join(e.Made, "\n"))
		}
		if e.To != "" {
			line("e:"+e.Event, "p:"+e.To, strings.Join(e.Handlers, "\n"))
		}
	}
	fmt.Fprintln(w, "}")
}

// mermaid writes the graph as Markdown pages show it: one arrow for all events
// between two packages.
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
	pairs, events := g.byPair()
	for _, p := range pairs {
		from, to := id(p[0]), id(p[1])
		var names []string
		for _, e := range events[p] {
			names = append(names, mermaidText(e.Event))
		}
		fmt.Fprintf(w, "  %s -->|\"%s\"| %s\n", from, strings.Join(names, "<br>"), to)
	}
}

func mermaidText(s string) string {
	return strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(s)
}

var graphCommand = &command{
	name: "graph", args: "[flags] [packages]", short: "draws which package sets off which",
	long: `Graph draws packages as boxes and events as arrows between those that make and
those that handle them. Handlers of every event are left out: they would hide the
rest. An event that nobody makes or handles is red in dot and svg.

Formats: mermaid (the default, for Markdown), dot (for Graphviz), json (with file
and line), svg (needs Graphviz's dot).
`,
	run: runGraph,
}

func runGraph(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	g := a.graph()
	switch o.format {
	case "mermaid":
		g.mermaid(out)
	case "dot":
		g.dot(out)
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(g); err != nil {
			fmt.Fprintf(errw, "eventbus: %v\n", err)
			return exitFailed
		}
	case "svg":
		var src, msg bytes.Buffer
		g.dot(&src)
		cmd := exec.CommandContext(ctx, "dot", "-Tsvg")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = &src, out, &msg
		if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintln(errw, "eventbus: svg needs Graphviz's dot, which is not in PATH; install it (apt-get install graphviz, brew install graphviz), or take -format dot or mermaid")
			return exitFailed
		} else if err != nil {
			fmt.Fprintf(errw, "eventbus: dot: %v: %s\n", err, strings.TrimSpace(msg.String()))
			return exitFailed
		}
	}
	if len(a.src.broken) > 0 {
		return exitFailed
	}
	return exitFine
}
