package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// need skips a test where a program is missing, unless EVENTBUS_REQUIRE names it.
func need(t *testing.T, name string, programs ...string) string {
	t.Helper()
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	if slices.Contains(strings.Split(os.Getenv("EVENTBUS_REQUIRE"), ","), name) {
		t.Fatalf("EVENTBUS_REQUIRE names %s, and there is none", name)
	}
	t.Skipf("there is no %s", name)
	return ""
}

func drawn(n name, makers, handlers []string) graphEvent {
	e := graphEvent{Event: n.String(), Domain: n.domain, Action: n.action}
	for _, m := range makers {
		e.Makers = append(e.Makers, graphEnd{m, m + ".Make", m + "/" + m + ".go:1"})
	}
	for _, h := range handlers {
		e.Handlers = append(e.Handlers, graphEnd{h, h + ".on", h + "/" + h + ".go:2"})
	}
	return e
}

// nasty has names that mean something in HTML, in JavaScript and in Graphviz's
// language.
func nasty() graph {
	g := graph{Domains: []string{"a", "b", "order", `q"\N`}}
	for i, action := range []string{
		"</script><script>document.title='run'</script>", "<img src=x onerror=\"document.title='run'\">", "<B>bold</B>",
		"\\\"];}", "'+alert(1)+'", "${document.title='run'}", "&amp;&lt;", "line\nbreak\x00\x07", "\u2028\ufffe", "größe→", "]]>", "<!--",
	} {
		g.Events = append(g.Events, drawn(name{"order", action}, []string{"order"}, []string{[]string{"a", "b", "order"}[i%3]}))
	}
	g.Events = append(g.Events, drawn(name{`q"\N`, "x"}, []string{"a"}, nil), drawn(name{"b", "y"}, nil, []string{"a"}))
	return g
}

// dense has 30 domains and 200 events, each handled by up to three domains.
func dense() graph {
	var g graph
	for d := range 30 {
		g.Domains = append(g.Domains, fmt.Sprintf("domain%02d", d))
	}
	for i := range 200 {
		var to []string
		for n := range i % 4 {
			to = append(to, g.Domains[(i*7+n*n*5+1)%30])
		}
		g.Events = append(g.Events, drawn(name{g.Domains[i%30], fmt.Sprintf("happened%d", i/30)}, g.Domains[i%30:i%30+1], to))
	}
	return g
}

func TestDraw(t *testing.T) {
	g := graph{Domains: []string{"mail", "order", "shop"}, Events: []graphEvent{
		drawn(name{"order", "cancelled"}, []string{"order"}, []string{"mail"}),
		drawn(name{"order", "dead"}, nil, []string{"mail"}),
		drawn(name{"order", "lost"}, []string{"order"}, nil),
		drawn(name{"order", "paid"}, []string{"order"}, []string{"order"}),
		drawn(name{"order", "placed"}, []string{"order"}, []string{"mail"}),
		drawn(name{"order", "rushed"}, []string{"shop"}, []string{"mail"}),
	}}
	d := g.draw()
	edges := regexp.MustCompile(`(?m)^\td\d\S* -> .*$`).FindAllString(d.dot, -1)
	want := []string{
		`	d1:p0 -> d0:h [id="a0", tooltip="order/cancelled\norder/placed"]`,
		`	d1:p1 -> d0:h [id="a1", tooltip="order/dead"]`,
		`	d2:h -> d1:p4 [id="a2", tooltip="order/rushed", style=dashed]`,
		`	d1:p4 -> d0:h [id="a3", tooltip="order/rushed"]`,
	}
	if !slices.Equal(edges, want) {
		t.Errorf("the arrows are\n%s\nwant\n%s", strings.Join(edges, "\n"), strings.Join(want, "\n"))
	}
	for _, cell := range []string{">dead (nobody makes it)<", ">lost (nobody handles it)<", ">paid \u21ba<"} {
		if !strings.Contains(d.dot, cell) {
			t.Errorf("no cell %s in\n%s", cell, d.dot)
		}
	}
	if n := strings.Count(d.dot, alarmColour); n != 2 {
		t.Errorf("%d parts are red, want that of the event nobody makes and that of the one nobody handles", n)
	}
	if got := d.parts[5]; !slices.Equal(got.Boxes, []string{"d1", "d2", "d0"}) || !slices.Equal(got.Edges, []string{"a2", "a3"}) {
		t.Errorf("order/rushed is drawn by %+v, want its box, its maker's and its handler's, and two arrows", got)
	}
	if strings.Contains(d.dot, "osage") || !strings.Contains(dense().draw().dot, "layout=osage") {
		t.Error("only a picture with many arrows stands in rows")
	}
	if !strings.Contains(dense().draw().dot, ">happened0 \u2192 domain") {
		t.Error("in a picture with many arrows, events don't say where they go")
	}
}

func TestGraph(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := tree(t, withBus(t, map[string]string{
		"user/user.go": "package user\n\nimport \"m.test/eventbus\"\n\nfunc Created() eventbus.Data { return eventbus.MustData(\"user\", \"created\", nil) }\n",
		"mail/mail.go": "package mail\n\nimport (\n\t\"context\"\n\n\t\"m.test/eventbus\"\n)\n\nfunc Wire(b *eventbus.Bus) { b.Register(\"user\", \"created\", on) }\n\nfunc on(ctx context.Context, d eventbus.Data) error { return nil }\n",
		"main.go":      "package main\n\nimport (\n\t\"context\"\n\n\t\"m.test/eventbus\"\n\t\"m.test/mail\"\n\t\"m.test/user\"\n)\n\nfunc main() {\n\tb := eventbus.New(nil)\n\tmail.Wire(b)\n\t_ = b.Publish(context.Background(), user.Created())\n}\n",
	}))
	_, out, _ := runIn(t, dir, "graph")
	want := "flowchart LR\n  n0[\"user\"]\n  n1[\"mail\"]\n  n0 -->|\"user/created\"| n1\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("mermaid (-want +got):\n%s", diff)
	}
	var g graph
	_, out, _ = runIn(t, dir, "graph", "-format", "json")
	wantGraph := graph{
		Domains: []string{"mail", "user"},
		Events: []graphEvent{{
			Event: "user/created", Domain: "user", Action: "created",
			Makers:   []graphEnd{{"user", "user.Created", "user/user.go:5"}},
			Handlers: []graphEnd{{"mail", "mail.on", "mail/mail.go:9"}},
		}},
		Unknown: []unknownEntry{},
	}
	if err := json.Unmarshal([]byte(out), &g); err != nil || !cmp.Equal(wantGraph, g) {
		t.Errorf("json: %v (-want +got):\n%s", err, cmp.Diff(wantGraph, g))
	}
	_, out, _ = runIn(t, dir, "graph", "-format", "dot")
	for _, part := range []string{`<B>user</B>`, `<B>mail</B>`, `d1:p0 -> d0:h [`, `>created</TD>`} {
		if !strings.Contains(out, part) {
			t.Errorf("dot has no %s:\n%s", part, out)
		}
	}
	if status, _, errs := runIn(t, dir, "graph", "-format", "png"); status != 2 || !strings.Contains(errs, "no format") {
		t.Errorf("png: status %d, %s", status, errs)
	}
}

// A package is the domain that it is named after or whose events it alone makes.
func TestGraphDomains(t *testing.T) {
	t.Setenv("GOWORK", "off")
	files := map[string]string{
		"users/users.go":   "package users\n\nimport \"m.test/eventbus\"\n\nfunc Created() eventbus.Data { return eventbus.MustData(\"user\", \"created\", nil) }\n",
		"order/order.go":   "package order\n\nimport \"m.test/eventbus\"\n\nfunc Placed() eventbus.Data { return eventbus.MustData(\"order\", \"placed\", nil) }\n",
		"legacy/legacy.go": "package legacy\n\nimport (\n\t\"context\"\n\n\t\"m.test/eventbus\"\n)\n\nfunc Placed() eventbus.Data { return eventbus.MustData(\"order\", \"placed\", nil) }\n\nfunc On(ctx context.Context, d eventbus.Data) error { return nil }\n",
		"main.go": `package main

import (
	"context"

	"m.test/eventbus"
	"m.test/legacy"
	"m.test/order"
	"m.test/users"
)

func main() {
	b := eventbus.New(nil)
	b.Register("user", eventbus.Any, legacy.On)
	b.Register("order", "placed", legacy.On)
	b.Register(eventbus.Any, eventbus.Any, legacy.On)
	for _, d := range []eventbus.Data{users.Created(), order.Placed(), legacy.Placed()} {
		_ = b.Publish(context.Background(), d)
	}
}
`,
	}
	_, out, errs := runIn(t, tree(t, withBus(t, files)), "graph")
	want := `flowchart LR
  n0["legacy"]
  n0 -->|"order/placed"| n0
  n1["order"]
  n1 -->|"order/placed"| n0
  n2["user"]
  n2 -->|"user/created"| n0
`
	if out != want {
		t.Errorf("output\n%swant\n%s%s", out, want, errs)
	}
}

// The page asks the network for nothing, and no name gets out of its quotes.
func TestPage(t *testing.T) {
	g := nasty()
	g.Unknown = []unknownEntry{{"dispatch", "order/?", "order/<b>.go:3"}}
	var b bytes.Buffer
	if err := g.page(&b); err != nil {
		t.Fatal(err)
	}
	ours := strings.Replace(b.String(), vizJS, "", 1)
	if len(ours) == b.Len() {
		t.Fatal("Graphviz isn't in the page")
	}
	for _, bad := range []string{"<img", "<B>bold", "<script>document", "<b>", "<!-- ", "http:", "https:", "<link", "@import", "url("} {
		if strings.Contains(ours, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(strings.ToLower(b.String()), "<script"); n != 2 {
		t.Errorf("the page has %d scripts, want Graphviz and its own", n)
	}
	if !strings.Contains(ours, "default-src 'none'") {
		t.Error("the page doesn't forbid itself to load anything")
	}
	for _, e := range g.Events {
		for _, end := range slices.Concat(e.Makers, e.Handlers) {
			if !strings.Contains(ours, "<code>"+html.EscapeString(end.Place)+"</code>") {
				t.Errorf("%q: the page doesn't show %s", e.Event, end.Place)
			}
		}
	}
	if !strings.Contains(vizJS, "Copyright (c) Michael Daines") {
		t.Error("Graphviz for the browser comes without its notice")
	}
}

// A browser draws every event of the page, and runs none of their names.
func TestPageInBrowser(t *testing.T) {
	chromium := need(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	for what, g := range map[string]graph{"nasty": nasty(), "dense": dense()} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "page.html")
			var b, msg bytes.Buffer
			if err := g.page(&b); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
				"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+filepath.Join(dir, "profile"),
				"--virtual-time-budget=20000", "--dump-dom", "file://"+filepath.ToSlash(file))
			cmd.Stderr = &msg
			cmd.WaitDelay = 10 * time.Second
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, msg.String())
			}
			dom := string(out)
			if !strings.Contains(dom, `data-drawn="yes"`) {
				t.Fatalf("nothing was drawn: %s", dom[max(0, len(dom)-500):])
			}
			if !strings.Contains(dom, "<title>Events</title>") {
				t.Error("a name was run as a script")
			}
			_, svg, _ := strings.Cut(dom, `<div id="picture">`)
			svg, _, _ = strings.Cut(svg, "</svg>")
			for i, e := range g.Events {
				if !strings.Contains(svg, fmt.Sprintf(`id="a_e%d"`, i)) {
					t.Errorf("%q isn't in the picture", e.Event)
				}
			}
			if what == "dense" {
				for _, e := range g.Events {
					if !strings.Contains(svg, ">"+e.Action) {
						t.Errorf("%q isn't in the picture", e.Event)
					}
				}
			}
			if want, got := g.arrows(), strings.Count(svg, `class="edge"`); got != want {
				t.Errorf("%d arrows in the picture, want %d", got, want)
			}
		})
	}
}

// Graphviz takes whatever an event is called.
func TestDotTakesAnyName(t *testing.T) {
	need(t, "graphviz", "dot")
	for what, g := range map[string]graph{"nasty": nasty(), "dense": dense()} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "dot", "-Tsvg")
			cmd.Stdin = strings.NewReader(g.draw().dot)
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.HasPrefix(out, []byte("<?xml")) { // a warning stands before it
				t.Errorf("dot: %v\n%.500s", err, out)
			}
		})
	}
}
