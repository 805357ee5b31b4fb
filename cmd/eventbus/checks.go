package main

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

// finding is one line of eventbus check.
type finding struct {
	Check   string `json:"check"`
	Warning bool   `json:"warning"`
	Place   string `json:"place"`
	Event   string `json:"event,omitempty"`
	Text    string `json:"text"`

	pos token.Position
}

func (f finding) String() string {
	var b strings.Builder
	b.WriteString(f.Place + ": ")
	if f.Warning {
		b.WriteString("warning: ")
	}
	if f.Event != "" {
		b.WriteString(f.Event + ": ")
	}
	b.WriteString(f.Text + " [" + f.Check + "]")
	return b.String()
}

// checkNames are the checks, in the order of the help.
var checkNames = []string{"unhandled", "undispatched", "contract", "cycle", "dropped", "late", "mutated", "lock", "ignore"}

// model is all that is known of the programs of one source.
type model struct {
	src      *source
	bus      *bus
	programs []*program
	wirings  []*wiring
	reaches  []map[handlerKey]map[*ssa.Function]*reached
	mine     map[string]bool // files that findings may be in
	findings []finding
	said     map[string]bool
	partner  map[name]bool // registrations that an unhandled event is a slip of
}

type handlerKey struct {
	fn *ssa.Function
	fr *frame
}

func analyze(s *source) *model {
	a := &model{src: s, bus: findBus(s.pkgs), mine: map[string]bool{}, said: map[string]bool{}, partner: map[name]bool{}}
	a.programs = s.programs(a.bus)
	in := map[string]bool{}
	for _, p := range a.programs {
		a.wirings = append(a.wirings, p.wire())
		a.reaches = append(a.reaches, map[handlerKey]map[*ssa.Function]*reached{})
		for _, pk := range p.pkgs {
			in[pk.PkgPath] = true
		}
	}
	for _, pk := range s.pkgs {
		if (pk.Module == nil || pk.Module.Main) && (in[pk.PkgPath] || s.named[pk.PkgPath]) && !a.bus.pkgs[pk.Types] {
			for _, f := range pk.CompiledGoFiles {
				a.mine[f] = true
			}
		}
	}
	return a
}

func (a *model) report(check string, warning bool, pos token.Pos, event, format string, args ...any) {
	pos = a.src.start(pos)
	p := a.src.fset.Position(pos)
	if !a.mine[p.Filename] {
		return
	}
	f := finding{Check: check, Warning: warning, Place: a.src.place(pos), Event: event, Text: fmt.Sprintf(format, args...), pos: p}
	if key := f.String(); !a.said[key] {
		a.said[key] = true
		a.findings = append(a.findings, f)
	}
}

func sortFindings(fs []finding) {
	slices.SortStableFunc(fs, func(x, y finding) int {
		return cmp.Or(cmp.Compare(x.pos.Filename, y.pos.Filename), cmp.Compare(x.pos.Line, y.pos.Line), cmp.Compare(x.pos.Column, y.pos.Column),
			cmp.Compare(x.Event, y.Event), cmp.Compare(x.Text, y.Text))
	})
}

// check runs the checks that need the wiring.
func (a *model) check(on map[string]bool) {
	if on["unhandled"] || on["undispatched"] {
		before := len(a.findings)
		for i := range a.programs {
			a.unhandled(i)
		}
		if !on["unhandled"] {
			a.findings = a.findings[:before]
		}
	}
	if on["undispatched"] {
		a.undispatched()
	}
	if on["contract"] {
		for i := range a.programs {
			a.contract(i)
		}
	}
	for i := range a.programs {
		if on["cycle"] {
			a.cycles(i)
		}
		if on["late"] {
			a.late(i)
		}
	}
}

// mayHandle says who may handle e without our seeing it.
func (a *model) mayHandle(i int, e name) (string, bool) {
	for _, r := range a.wirings[i].registrations {
		if !r.known() && r.received == nil && r.covers(e) {
			return "the registration at " + a.src.line(r.place) + ", whose name is not known before run time, may be for it", true
		}
	}
	if a.brokenIn(i) {
		return "code that doesn't compile may register it", true
	}
	return "", false
}

func (a *model) brokenIn(i int) bool {
	return slices.ContainsFunc(a.programs[i].pkgs, func(p *packages.Package) bool { return a.src.bad[p.PkgPath] })
}

func (a *model) mayMake(e name) bool {
	for i, w := range a.wirings {
		if a.brokenIn(i) {
			return true
		}
		for _, m := range w.made {
			if !m.known() && m.received == nil && m.covers(e) {
				return true
			}
		}
		for _, d := range w.dispatches {
			if !d.known() && d.covers(e) && a.open(i, d) {
				return true
			}
		}
	}
	return false
}

// open reports whether a dispatch whose event is not known may be of an event
// that is made out of sight. Those within the packages of the bus's own module
// pass on what others gave them.
func (a *model) open(i int, d *dispatch) bool {
	if d.received != nil {
		for _, r := range a.wirings[i].registrations {
			if a.reach(i, r)[d.received] != nil {
				return false // a handler's own event again
			}
		}
	}
	path := pkgPath(d.fn)
	for p := range a.bus.pkgs {
		if strings.HasPrefix(path, p.Path()+"/") && !strings.Contains(path[len(p.Path())+1:], "/") {
			return false
		}
	}
	return true
}

func pkgPath(fn *ssa.Function) string {
	for ; fn != nil; fn = fn.Parent() {
		if obj := declared(fn); obj != nil && obj.Pkg() != nil {
			return obj.Pkg().Path()
		}
		if fn.Pkg != nil {
			return fn.Pkg.Pkg.Path()
		}
	}
	return ""
}

func (a *model) unhandled(i int) {
	w := a.wirings[i]
	type event struct {
		n   name
		pos token.Pos
	}
	var events []event
	named := map[name]bool{}
	for _, m := range w.made {
		if m.known() && m.received == nil {
			events = append(events, event{m.name, m.place})
			named[m.name] = true
		}
	}
	for _, d := range w.dispatches {
		if d.known() && d.received == nil && !named[d.name] {
			events = append(events, event{d.name, d.place})
		}
	}
	exact := map[name]bool{}
	for _, r := range w.registrations {
		exact[r.name] = true
	}
	for _, e := range events {
		n := e.n
		if exact[n] || exact[name{n.domain, wild}] || n.domain == wild || n.action == wild {
			continue
		}
		best, place := a.nearest(i, n)
		byAction := exact[name{wild, n.action}]
		unsure, may := a.mayHandle(i, n)
		switch {
		case best.known():
			a.partner[best] = true
			if may {
				a.report("unhandled", true, e.pos, n.String(), "no handler is registered for it (%s); did you mean %s, registered at %s?", unsure, best, place)
				continue
			}
			a.report("unhandled", false, e.pos, n.String(), "no handler is registered for it; did you mean %s, registered at %s?", best, place)
		case byAction:
		case may:
			a.report("unhandled", true, e.pos, n.String(), "no handler is seen to be registered for it (%s)", unsure)
		default:
			a.report("unhandled", true, e.pos, n.String(), "no handler is registered for it%s; register one, or drop the event%s", a.inProgram(i), a.elsewhere(i, n))
		}
	}
}

func (a *model) inProgram(i int) string {
	if len(a.programs) == 1 || a.programs[i].name == "" {
		return ""
	}
	return " in the program " + a.programs[i].name
}

func (a *model) elsewhere(i int, n name) string {
	for j, w := range a.wirings {
		if j != i {
			for _, r := range w.registrations {
				if r.name == n {
					return " (one is registered in " + a.programs[j].name + ", at " + a.src.line(r.place) + ")"
				}
			}
		}
	}
	return ""
}

// nearest returns the registered name that n is likely a slip of.
func (a *model) nearest(i int, n name) (name, string) {
	order := []*wiring{a.wirings[i]}
	if len(a.wirings) > 1 {
		for j, w := range a.wirings {
			if slices.ContainsFunc(w.registrations, func(r *registration) bool { return r.name == n }) {
				order = order[:1] // right where another program handles it
				break
			}
			if j != i && sharesPackages(a.programs[i], a.programs[j]) {
				order = append(order, w)
			}
		}
	}
	for _, w := range order {
		var best *registration
		bestD := 1 << 30
		for _, r := range w.registrations {
			if r.known() && near(n, r.name) {
				d := distance([]rune(n.String()), []rune(r.String()))
				if d < bestD {
					best, bestD = r, d
				}
			}
		}
		if best != nil {
			return best.name, a.src.line(best.place)
		}
	}
	return name{}, ""
}

// sharesPackages reports whether two programs are of one system: whether they
// have a package of events in common besides the bus.
func sharesPackages(p, q *program) bool {
	for _, x := range p.pkgs {
		if !p.bus.pkgs[x.Types] && slices.Contains(q.pkgs, x) {
			return true
		}
	}
	return false
}

func (a *model) undispatched() {
	madeNames := map[name]bool{}
	for _, w := range a.wirings {
		for _, m := range w.made {
			madeNames[m.name] = true
		}
		for _, d := range w.dispatches {
			madeNames[d.name] = true
		}
	}
	isMade := func(n name) bool {
		for m := range madeNames {
			if m.known() && n.covers(m) {
				return true
			}
		}
		return false
	}
	for _, w := range a.wirings {
		for _, r := range w.registrations {
			if !r.known() || r.received != nil || r.domain == wild && r.action == wild || madeNames[r.name] || isMade(r.name) || a.partner[r.name] || a.mayMake(r.name) {
				continue
			}
			hint := ""
			for _, m := range slices.SortedFunc(keys(madeNames), func(x, y name) int { return cmp.Compare(x.String(), y.String()) }) {
				if near(m, r.name) {
					hint = "; did you mean " + m.String() + "?"
					break
				}
			}
			a.report("undispatched", true, r.place, r.String(), "%s is registered for it, and nothing makes it%s", r.handler, cmp.Or(hint, "; dispatch it, or drop the handler"))
		}
	}
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// reach returns what a registration's handler runs.
func (a *model) reach(i int, r *registration) map[*ssa.Function]*reached {
	if r.fn.kind != function {
		return nil
	}
	k := handlerKey{r.fn.fn, r.fn.fr}
	m, ok := a.reaches[i][k]
	if !ok {
		m = a.programs[i].reachFrom(r.fn.fn, r.fn.fr)
		a.reaches[i][k] = m
	}
	return m
}

// consumer is a type that a handler reads an event's params into.
type consumer struct {
	r     *registration
	typ   types.Type
	place token.Pos
	d     *decode // nil where On does it
}

// reads reports whether c reads the params of event e.
func (a *model) reads(i int, c consumer, e name) bool {
	if !c.r.covers(e) {
		return false
	}
	if c.d == nil {
		return true
	}
	if c.d.own.known() && !c.d.own.covers(e) {
		return false
	}
	if b := a.programs[i].blockIn(&c.d.site, c.d.received); b != nil {
		return a.programs[i].filterAt(b).admits(e)
	}
	return true
}

func (a *model) consumers(i int) []consumer {
	var out []consumer
	for _, r := range a.wirings[i].registrations {
		if r.typ != nil {
			out = append(out, consumer{r, r.typ, r.place, nil})
			continue
		}
		rs := a.reach(i, r)
		for _, d := range a.wirings[i].decodes {
			if rs[d.fn] != nil && rs[d.received] != nil {
				c := consumer{r, d.typ, d.place, d}
				if !slices.ContainsFunc(out, func(o consumer) bool { return o.r == c.r && o.place == c.place && types.Identical(o.typ, c.typ) }) {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func (a *model) contract(i int) {
	w := a.wirings[i]
	producers := map[name][]*made{}
	for _, m := range w.made {
		if m.known() {
			producers[m.name] = append(producers[m.name], m)
		}
	}
	// What this program doesn't make may come from another, through a broker.
	for j, o := range a.wirings {
		if j == i || !sharesPackages(a.programs[i], a.programs[j]) {
			continue
		}
		here := map[name]bool{}
		for n := range producers {
			here[n] = true
		}
		for _, m := range o.made {
			if m.known() && !here[m.name] {
				producers[m.name] = append(producers[m.name], m)
				here[m.name] = false
			}
		}
	}
	consumers := a.consumers(i)
	events := slices.SortedFunc(keys(producers), func(x, y name) int { return cmp.Compare(x.String(), y.String()) })
	for _, e := range events {
		unknownMaker := slices.ContainsFunc(w.made, func(m *made) bool { return !m.known() && m.received == nil && m.covers(e) })
		for _, c := range consumers {
			if a.reads(i, c, e) {
				a.pair(e, producers[e], c, unknownMaker)
			}
		}
	}
}

// pair compares all that make e with one that reads it.
func (a *model) pair(e name, makers []*made, c consumer, unsure bool) {
	reader := shapeOf(c.typ, true)
	wildcard := c.r.domain == wild || c.r.action == wild
	type where struct {
		pos token.Pos
		as  string
	}
	missing := map[string][]where{}
	var order []string
	writers := 0
	for _, m := range makers {
		unsure = unsure || m.unknown
		for _, p := range m.payloads {
			sh := p.shape()
			writers++
			for _, f := range compare(sh, reader) {
				what := "the params"
				if f.path != "" {
					what = fmt.Sprintf("%q", f.path)
				}
				switch {
				case f.missing:
					if missing[f.path] == nil {
						order = append(order, f.path)
					}
					missing[f.path] = append(missing[f.path], where{m.place, sh.name})
				case f.overflow:
					a.report("contract", true, c.place, e.String(), "%s reads %s: it %s (made as %s at %s); use the wider type",
						c.r.handler, what, f.why, sh.name, a.src.line(m.place))
				default:
					a.report("contract", false, c.place, e.String(), "%s can't read %s: it %s (made as %s at %s, read as %s); make the types agree",
						c.r.handler, what, f.why, sh.name, a.src.line(m.place), reader.name)
				}
			}
		}
	}
	if wildcard && !a.singled(c, e) {
		return // who reads many events takes from each what it has
	}
	for _, path := range order {
		ms := missing[path]
		at := a.src.line(ms[0].pos)
		if len(ms) == writers && !unsure {
			a.report("contract", false, c.place, e.String(), "%s reads %q, which nobody writes (made as %s at %s); write it there, or drop the field from %s",
				c.r.handler, path, ms[0].as, at, reader.name)
			continue
		}
		a.report("contract", true, c.place, e.String(), "%s reads %q, which not everybody writes (not %s at %s); write it there, or drop the field from %s",
			c.r.handler, path, ms[0].as, at, reader.name)
	}
}

// singled reports whether c, on a wildcard, decodes under a comparison with e's
// very name.
func (a *model) singled(c consumer, e name) bool {
	if c.d == nil {
		return false
	}
	for i, w := range a.wirings {
		if slices.Contains(w.decodes, c.d) {
			if c.d.own.known() {
				return true
			}
			if b := a.programs[i].blockIn(&c.d.site, c.d.received); b != nil {
				f := a.programs[i].filterAt(b)
				return (f.action.only || c.r.action != wild) && (f.domain.only || c.r.domain != wild)
			}
		}
	}
	return false
}

// edge is a handler of event from that dispatches event to.
type edge struct {
	from, to name
	cond     bool
	r        *registration
	d        *dispatch
}

func (a *model) edges(i int) []edge {
	p, w := a.programs[i], a.wirings[i]
	events := map[name]bool{}
	for _, m := range w.made {
		if m.known() {
			events[m.name] = true
		}
	}
	for _, d := range w.dispatches {
		if d.known() {
			events[d.name] = true
		}
	}
	for _, r := range w.registrations {
		if r.known() && r.domain != wild && r.action != wild {
			events[r.name] = true
		}
	}
	all := slices.SortedFunc(keys(events), func(x, y name) int { return cmp.Compare(x.String(), y.String()) })
	manyBuses := p.busesMade() > 1
	byFn := map[*ssa.Function][]*dispatch{}
	for _, d := range w.dispatches {
		byFn[d.fn] = append(byFn[d.fn], d)
	}
	var out []edge
	for _, r := range w.registrations {
		if !r.known() {
			continue
		}
		rs := a.reach(i, r)
		if rs == nil {
			continue
		}
		var from []name
		if r.domain == wild || r.action == wild {
			for _, e := range all {
				if r.covers(e) {
					from = append(from, e)
				}
			}
		} else {
			from = []name{r.name}
		}
		fns := slices.SortedFunc(keys(rs), func(x, y *ssa.Function) int { return cmp.Compare(x.Pos(), y.Pos()) })
		for _, fn := range fns {
			if from := rs[fn].from; isWrapper(fn) && from != nil && p.bus.beside(from.fn) {
				continue // the call of the package beside the bus is the dispatch
			}
			for _, d := range byFn[fn] {
				reached, cond := p.belongs(&d.site, r.fn.fn, rs)
				if reached == nil {
					if d.received == nil || rs[d.received] == nil {
						continue
					}
					reached, cond = rs[fn], rs[fn].cond || !p.always(d.instr.Block())
				}
				if d.received != nil && rs[d.received] == nil || d.received == nil && !d.known() {
					continue
				}
				if !p.consistent(&d.site, r, rs) || manyBuses && !p.sameBus(d, r) {
					continue
				}
				cond = cond || p.mayStop(r)
				for _, e := range from {
					if !p.passes(d, reached, e) {
						continue
					}
					to := d.name
					if d.received != nil {
						to = name{cmp.Or(d.domain, e.domain), cmp.Or(d.action, e.action)}
					}
					out = append(out, edge{e, to, cond, r, d})
				}
			}
		}
	}
	return out
}

// passes reports whether the comparisons with names on the way to a dispatch let
// event e through.
func (p *program) passes(d *dispatch, r *reached, e name) bool {
	b := d.instr.Block()
	for {
		if !p.filterAt(b).admits(e) {
			return false
		}
		if r.from == nil {
			return true
		}
		b, r = r.site.Block(), r.from
	}
}

func (a *model) cycles(i int) {
	edges := a.edges(i)
	covered := map[name]bool{}
	for _, sure := range []bool{true, false} {
		next := map[name][]edge{}
		for _, e := range edges {
			if !e.cond || !sure {
				next[e.from] = append(next[e.from], e)
			}
		}
		starts := slices.SortedFunc(keys(next), func(x, y name) int { return cmp.Compare(x.String(), y.String()) })
		for _, s := range starts {
			if covered[s] {
				continue
			}
			path := shortestCycle(next, s)
			if path == nil {
				continue
			}
			for _, e := range path {
				covered[e.from] = true
			}
			var b strings.Builder
			for _, e := range path {
				fmt.Fprintf(&b, "%s -> %s (registered at %s) dispatches at %s -> ", e.from, e.r.handler, a.src.line(e.r.place), a.src.line(e.d.instr.Pos()))
			}
			b.WriteString(s.String())
			pos := path[0].d.instr.Pos()
			if sure {
				a.report("cycle", false, pos, s.String(), "events set each other off without end: %s; break the circle", &b)
			} else {
				a.report("cycle", true, pos, s.String(), "events may set each other off without end, unless a condition stops them: %s", &b)
			}
		}
	}
}

func shortestCycle(next map[name][]edge, start name) []edge {
	type node struct {
		e    edge
		prev *node
	}
	var todo []*node
	for _, e := range next[start] {
		todo = append(todo, &node{e, nil})
	}
	seen := map[name]bool{}
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		if n.e.to == start {
			var path []edge
			for ; n != nil; n = n.prev {
				path = append(path, n.e)
			}
			slices.Reverse(path)
			return path
		}
		if !seen[n.e.to] {
			seen[n.e.to] = true
			for _, e := range next[n.e.to] {
				todo = append(todo, &node{e, n})
			}
		}
	}
	return nil
}

// consistent reports whether a dispatch within a closure rests on that closure
// having been made as the one registered was: in the same call, from the same
// row of a table.
func (p *program) consistent(d *site, r *registration, rs map[*ssa.Function]*reached) bool {
	tied := false
	for c := d.ch; c != nil; c = c.next {
		k, ok := c.key.(makerOf)
		if !ok {
			continue
		}
		made, g := c.val.(*frame), rs[k.fr.fn]
		if g == nil || g.fr == nil || g.fr.maker == nil || g.fr.maker.fn != made.fn {
			continue
		}
		tied = true
		if up, ok := d.ch.get(callerOf{made}); ok && g.fr.maker.site != nil {
			if cc := up.(*callerChoice); cc != nil && cc.site != g.fr.maker.site {
				return false
			}
		}
	}
	if !tied {
		return true
	}
	for c := d.ch; c != nil; c = c.next {
		other, ok := r.ch.get(c.key)
		if !ok {
			continue
		}
		if x, ok := c.val.(*callerChoice); ok {
			if y := other.(*callerChoice); x != nil && y != nil && x.site != y.site {
				return false
			}
		} else if other != c.val {
			return false
		}
	}
	return true
}

// busesMade counts the buses that the program makes.
func (p *program) busesMade() int {
	n := 0
	for fn, calls := range p.callsOf {
		if obj := declared(fn); obj != nil && obj.Name() == "New" && obj.Pkg() != nil && p.bus.pkgs[obj.Pkg()] && obj.Signature().Recv() == nil {
			n += len(calls)
		}
	}
	for _, fn := range p.funcs {
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				if a, ok := instr.(*ssa.Alloc); ok && p.bus.isType(a.Type(), "Bus") {
					if _, ptr := deref(a.Type()).(*types.Pointer); !ptr {
						n++
					}
				}
			}
		}
	}
	return n
}

// sameBus reports whether a dispatch is on the bus of a registration, as far as
// can be told; what can't be told is taken for the same only where the event is
// a named one.
func (p *program) sameBus(d *dispatch, r *registration) bool {
	x, y := p.busesOf(d.bus, &d.site), p.busesOf(r.bus, &r.site)
	if x == nil || y == nil {
		return d.received == nil
	}
	return slices.ContainsFunc(x, func(v ssa.Value) bool { return slices.Contains(y, v) })
}

func (p *program) busesOf(v ssa.Value, s *site) (out []ssa.Value) {
	if v == nil {
		return nil
	}
	unsure := false
	p.eval.ask(func() {
		p.eval.eval(v, p.eval.open(s.fn), nil, s.ch, func(x val, _ *choices) {
			if x.kind == object {
				out = append(out, x.v)
			} else {
				unsure = true
			}
		})
	})
	if unsure {
		return nil
	}
	return out
}

// mayStop reports whether middleware of a registration may keep an event from
// its handler.
func (p *program) mayStop(r *registration) bool {
	if r.mw == nil || isNil(r.mw) {
		return false
	}
	stops := false
	p.eval.ask(func() {
		p.eval.elements(r.mw, p.eval.open(r.site.fn), r.ch, func(list []entry, ch *choices) {
			for _, en := range list {
				p.eval.content(en, nil, ch, func(x val, _ *choices) {
					if x.kind != function || !p.passesOn(x.fn) {
						stops = true
					}
				})
			}
		}, func(val, *choices) { stops = true })
	})
	return stops
}

// passesOn reports whether every function that middleware fn returns calls the
// next one without a condition.
func (p *program) passesOn(fn *ssa.Function) bool {
	if len(fn.AnonFuncs) == 0 {
		return false
	}
	for _, f := range fn.AnonFuncs {
		found := false
		for _, b := range f.Blocks {
			for _, instr := range b.Instrs {
				if c, ok := instr.(ssa.CallInstruction); ok && c.Common().StaticCallee() == nil && !c.Common().IsInvoke() && len(c.Common().Args) == 2 && p.always(b) {
					found = true
				}
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (a *model) late(i int) {
	p, w := a.programs[i], a.wirings[i]
	type root struct {
		fn   *ssa.Function
		rs   map[*ssa.Function]*reached
		what string
	}
	var roots []root
	for _, r := range w.registrations {
		if rs := a.reach(i, r); rs != nil && r.fn.kind == function {
			roots = append(roots, root{r.fn.fn, rs, "the handler " + r.handler + " of " + r.String()})
		}
	}
	for _, fn := range p.funcs {
		if servesHTTP(fn) && fn.Synthetic == "" {
			roots = append(roots, root{fn, p.reachFrom(fn, nil), "the HTTP handler " + funcName(fn)})
		}
	}
	for _, r := range w.registrations {
		if r.result != nil && p.kept(r.result, 0) {
			continue
		}
		for _, root := range roots {
			reached, _ := p.belongs(&r.site, root.fn, root.rs)
			if reached == nil || reached.once {
				continue
			}
			a.report("late", true, r.instr.Pos(), r.String(), "%s is registered each time %s runs, and registrations pile up; register at start, or unregister in the same function", r.handler, root.what)
			break
		}
	}
}

func servesHTTP(fn *ssa.Function) bool {
	w, r := false, false
	for v := range fn.Signature.Params().Variables() {
		w = w || isNamed(v.Type(), "net/http", "ResponseWriter")
		r = r || isNamed(v.Type(), "net/http", "Request")
	}
	return w && r
}

// kept reports whether the function that takes a registration back is used.
func (p *program) kept(v ssa.Value, depth int) bool {
	refs := v.Referrers()
	if refs == nil || depth > 6 {
		return false
	}
	for _, r := range *refs {
		switch r := r.(type) {
		case ssa.CallInstruction:
			return true
		case *ssa.Return:
			n := slices.Index(r.Results, v)
			for _, c := range p.callsOf[r.Parent()] {
				call, ok := c.(*ssa.Call)
				if !ok {
					continue
				}
				if len(r.Results) == 1 && p.kept(call, depth+1) {
					return true
				}
				for _, x := range *call.Referrers() {
					if ex, ok := x.(*ssa.Extract); ok && ex.Index == n && p.kept(ex, depth+1) {
						return true
					}
				}
			}
		case *ssa.DebugRef:
		case *ssa.Store:
			if a, ok := r.Addr.(*ssa.Alloc); ok {
				if loaded(a) {
					return true
				}
				continue
			}
			return true
		default:
			return true
		}
	}
	return false
}

// loaded reports whether a variable is read, here or in a closure.
func loaded(a ssa.Value) bool {
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.Store, *ssa.DebugRef:
		case *ssa.MakeClosure:
			fn := r.Fn.(*ssa.Function)
			for i, b := range r.Bindings {
				if b == a && loaded(fn.FreeVars[i]) {
					return true
				}
			}
		default:
			return true
		}
	}
	return false
}
