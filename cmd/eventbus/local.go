package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// The checks that need one package only, as analyzers for go vet.

var droppedAnalyzer = &analysis.Analyzer{
	Name: "dropped",
	Doc:  "report errors of the event bus's Call and Publish that nobody looks at",
	Run: func(pass *analysis.Pass) (any, error) {
		b := busOf(pass.Pkg)
		quiet := ignored(pass.Fset, pass.Files, "dropped")
		dropped(b, pass.Files, pass.TypesInfo, func(pos token.Pos, text string) {
			p := pass.Fset.Position(pos)
			if !strings.HasSuffix(p.Filename, "_test.go") && !quiet(p) {
				pass.Report(analysis.Diagnostic{Pos: pos, Message: text + " [dropped]"})
			}
		})
		return nil, nil
	},
}

var mutatedAnalyzer = &analysis.Analyzer{
	Name:      "mutated",
	Doc:       "report handlers and middleware that write to an event's RawParams",
	Requires:  []*analysis.Analyzer{buildssa.Analyzer},
	FactTypes: []analysis.Fact{(*writes)(nil)},
	Run: func(pass *analysis.Pass) (any, error) {
		fns := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs
		m := newMutations(busOf(pass.Pkg))
		m.fact = func(f *types.Func) *writes {
			var w writes
			if f.Pkg() != pass.Pkg && pass.ImportObjectFact(f, &w) {
				return &w
			}
			return nil
		}
		for _, fn := range fns {
			f, ok := fn.Object().(*types.Func)
			if !ok || f.Pkg() != pass.Pkg || fn.Parent() != nil {
				continue
			}
			if w := m.summary(fn); w != nil {
				pass.ExportObjectFact(f, w)
			}
		}
		quiet := ignored(pass.Fset, pass.Files, "mutated")
		for _, fn := range fns {
			m.handler(fn, func(pos token.Pos, text string) {
				p := pass.Fset.Position(pos)
				if !strings.HasSuffix(p.Filename, "_test.go") && !quiet(p) {
					pass.Report(analysis.Diagnostic{Pos: pos, Message: text + " [mutated]"})
				}
			})
		}
		return nil, nil
	},
}

// busOf finds the buses that p imports, directly or not.
func busOf(p *types.Package) *bus {
	b := &bus{pkgs: map[*types.Package]bool{}}
	seen := map[*types.Package]bool{}
	var visit func(p *types.Package)
	visit = func(p *types.Package) {
		if !seen[p] {
			seen[p] = true
			b.add(p)
			for _, imp := range p.Imports() {
				visit(imp)
			}
		}
	}
	visit(p)
	return b
}

// dropped reports the calls of Call and Publish whose error is not looked at.
func dropped(b *bus, files []*ast.File, info *types.Info, report func(token.Pos, string)) {
	if len(b.pkgs) == 0 {
		return
	}
	for _, f := range files {
		if p := info.Defs[f.Name]; p != nil && b.pkgs[p.Pkg()] {
			continue
		}
		bound := boundDispatches(b, f, info)
		ast.Inspect(f, func(n ast.Node) bool {
			var call *ast.CallExpr
			how := "is not looked at"
			switch n := n.(type) {
			case *ast.ExprStmt:
				call, _ = ast.Unparen(n.X).(*ast.CallExpr)
			case *ast.GoStmt:
				call, how = n.Call, "is lost in a go statement"
			case *ast.DeferStmt:
				call, how = n.Call, "is lost in a defer statement"
			}
			if call == nil {
				return true
			}
			if name := dispatches(b, info, call.Fun, bound); name != "" {
				report(call.Pos(), fmt.Sprintf("the error of %s %s; return it, log it, or write _ = if it may be lost", name, how))
			}
			return true
		})
	}
}

// dispatches returns Call or Publish where fun is one of those of a bus.
func dispatches(b *bus, info *types.Info, fun ast.Expr, bound map[types.Object]string) string {
	switch fun := ast.Unparen(fun).(type) {
	case *ast.SelectorExpr:
		f, ok := info.Uses[fun.Sel].(*types.Func)
		if !ok {
			return bound[info.Uses[fun.Sel]]
		}
		if o := b.opOf(f.Origin()); o == opCall || o == opPublish {
			return f.Name()
		}
		if f.Name() != "Call" && f.Name() != "Publish" {
			return ""
		}
		if iface, ok := f.Signature().Recv().Type().Underlying().(*types.Interface); f.Signature().Recv() != nil && ok {
			for _, t := range b.types {
				if types.Implements(t, iface) {
					return f.Name()
				}
			}
		}
	case *ast.Ident:
		return bound[info.Uses[fun]]
	}
	return ""
}

// boundDispatches finds the variables that hold a bus's Call or Publish and
// nothing else.
func boundDispatches(b *bus, f *ast.File, info *types.Info) map[types.Object]string {
	bound := map[types.Object]string{}
	mixed := map[types.Object]bool{}
	set := func(lhs, rhs ast.Expr) {
		id, ok := lhs.(*ast.Ident)
		if !ok {
			return
		}
		obj := info.Defs[id]
		if obj == nil {
			obj = info.Uses[id]
		}
		if obj == nil {
			return
		}
		if name := dispatches(b, info, rhs, nil); name != "" {
			bound[obj] = name
		} else {
			mixed[obj] = true
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) == len(n.Rhs) {
				for i := range n.Lhs {
					set(n.Lhs[i], n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			if len(n.Names) == len(n.Values) {
				for i := range n.Names {
					set(n.Names[i], n.Values[i])
				}
			}
		}
		return true
	})
	for o := range mixed {
		delete(bound, o)
	}
	return bound
}

// writes is what a function does to the bytes that its parameters share: a fact
// of go vet.
type writes struct {
	To      []int // the parameters, receiver first, whose bytes it writes to
	Returns []int // those whose bytes it returns
}

func (*writes) AFact()           {}
func (w *writes) String() string { return fmt.Sprintf("writes to %v, returns %v", w.To, w.Returns) }

// mutations finds writes to the bytes of an event.
type mutations struct {
	bus  *bus
	memo map[*ssa.Function]*writes
	busy map[*ssa.Function]bool
	fact func(*types.Func) *writes
}

func newMutations(b *bus) *mutations {
	return &mutations{bus: b, memo: map[*ssa.Function]*writes{}, busy: map[*ssa.Function]bool{}, fact: func(*types.Func) *writes { return nil }}
}

// isHandler reports whether fn has the form of a handler.
func (m *mutations) isHandler(fn *ssa.Function) bool {
	s := fn.Signature
	return s.Params().Len() == 2 && s.Results().Len() == 1 && isNamed(s.Params().At(0).Type(), "context", "Context") &&
		m.bus.isData(s.Params().At(1).Type()) && isErrorType(s.Results().At(0).Type())
}

func (m *mutations) handler(fn *ssa.Function, report func(token.Pos, string)) {
	if fn.Blocks == nil || !m.isHandler(fn) || len(fn.Params) == 0 {
		return
	}
	t := m.flow(fn, fn.Params[len(fn.Params)-1])
	for _, w := range t.writes {
		text := "a handler must not write to RawParams, which the other handlers share; clone it first (bytes.Clone)"
		if w.by != "" {
			text = w.by + " writes to RawParams, which the other handlers share; give it a clone (bytes.Clone)"
		}
		report(w.pos, text)
	}
}

// summary returns what fn does to the bytes of its parameters, or nil.
func (m *mutations) summary(fn *ssa.Function) *writes {
	if w, ok := m.memo[fn]; ok {
		return w
	}
	if fn.Blocks == nil {
		if f := declared(fn); f != nil {
			return m.fact(f)
		}
		return nil
	}
	if m.busy[fn] {
		return nil
	}
	m.busy[fn] = true
	defer delete(m.busy, fn)
	var w writes
	for i, v := range fn.Params {
		if !m.carries(v.Type()) {
			continue
		}
		t := m.flow(fn, v)
		if len(t.writes) > 0 {
			w.To = append(w.To, i)
		}
		if t.returned {
			w.Returns = append(w.Returns, i)
		}
	}
	m.memo[fn] = nil
	if len(w.To)+len(w.Returns) > 0 {
		m.memo[fn] = &w
	}
	return m.memo[fn]
}

// carries reports whether a t may share the bytes of an event.
func (m *mutations) carries(t types.Type) bool {
	if p, ok := under(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if isBytes(t) || m.bus.isData(t) {
		return true
	}
	tp, ok := types.Unalias(t).(*types.TypeParam)
	return ok && tp != nil
}

type write struct {
	pos token.Pos
	by  string // the function that writes, where it isn't the handler's own code
}

// taint follows the bytes of one parameter through a function and the closures
// in it.
type taint struct {
	m        *mutations
	seen     map[ssa.Value]bool
	shorter  map[ssa.Value]bool // slices with room behind them that is in use
	full     map[ssa.Value]bool // slices without room behind them
	copied   map[*ssa.Store]bool
	todo     []ssa.Value
	writes   []write
	returned bool
	fn       *ssa.Function
}

func (m *mutations) flow(fn *ssa.Function, seed ssa.Value) *taint {
	t := &taint{m: m, seen: map[ssa.Value]bool{}, shorter: map[ssa.Value]bool{}, full: map[ssa.Value]bool{}, copied: map[*ssa.Store]bool{}, fn: fn}
	t.add(seed)
	for len(t.todo) > 0 {
		v := t.todo[len(t.todo)-1]
		t.todo = t.todo[:len(t.todo)-1]
		if refs := v.Referrers(); refs != nil {
			for _, r := range *refs {
				t.use(v, r)
			}
		}
	}
	slices.SortFunc(t.writes, func(a, b write) int { return int(a.pos - b.pos) })
	t.writes = slices.Compact(t.writes)
	return t
}

func sameValue(a, b ssa.Value) bool {
	return a == b || constIndex(a) >= 0 && constIndex(a) == constIndex(b)
}

func (t *taint) add(v ssa.Value) {
	if !t.seen[v] {
		t.seen[v] = true
		t.todo = append(t.todo, v)
	}
}

func (t *taint) write(pos token.Pos, by string) { t.writes = append(t.writes, write{pos, by}) }

// use follows v, which shares the bytes or holds what does, into instruction r.
func (t *taint) use(v ssa.Value, r ssa.Instruction) {
	switch r := r.(type) {
	case *ssa.Store:
		if r.Val == v {
			t.stored(r)
			return
		}
		if ia, ok := r.Addr.(*ssa.IndexAddr); ok && ia == v {
			t.write(r.Pos(), "")
		}
	case *ssa.Field:
		if t.m.carries(r.Type()) {
			t.add(r)
		}
	case *ssa.FieldAddr: // of a *Data parameter
		if r.X == v && t.m.carries(deref(r.Type())) {
			t.loads(r, nil)
		}
	case *ssa.IndexAddr:
		if r.X == v && isBytes(v.Type()) {
			t.add(r)
		}
	case *ssa.UnOp:
		if r.Op == token.MUL && t.m.carries(r.Type()) {
			t.add(r)
		}
	case *ssa.Slice:
		t.add(r)
		switch {
		case r.Max != nil && sameValue(r.Max, r.High): // no room: append copies
			t.full[r] = true
		case r.High != nil || t.shorter[v]:
			t.shorter[r] = true
		}
	case *ssa.Phi:
		t.shorter[r] = t.shorter[r] || t.shorter[v]
		t.add(r)
	case *ssa.ChangeType:
		t.add(r)
	case *ssa.Convert:
		if isBytes(r.Type()) && isBytes(r.X.Type()) {
			t.add(r)
		}
	case *ssa.MakeClosure:
		fn := r.Fn.(*ssa.Function)
		for i, b := range r.Bindings {
			if b == v {
				t.add(fn.FreeVars[i])
			}
		}
	case *ssa.Extract:
		if t.m.carries(r.Type()) {
			t.add(r)
		}
	case *ssa.Return:
		if r.Parent() == t.fn {
			t.returned = true
		}
	case ssa.CallInstruction:
		t.call(v, r)
	}
}

// stored follows a value into a variable: what is loaded from it later, before
// another value is stored there, shares the bytes too.
func (t *taint) stored(s *ssa.Store) {
	switch a := s.Addr.(type) {
	case *ssa.Alloc:
		t.variable(a, -1, s)
	case *ssa.FieldAddr:
		if base, ok := a.X.(*ssa.Alloc); ok {
			t.variable(base, a.Field, s)
		}
	case *ssa.FreeVar:
		t.loads(a, nil)
	}
}

func (t *taint) variable(a *ssa.Alloc, field int, s *ssa.Store) {
	var stores []store
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.Store:
			if r.Addr == a {
				stores = append(stores, store{nil, r.Val, r})
			}
		case *ssa.FieldAddr:
			for _, u := range *r.Referrers() {
				if st, ok := u.(*ssa.Store); ok && st.Addr == r {
					stores = append(stores, store{[]step{fieldStep(r.Field)}, st.Val, st})
				}
			}
		}
	}
	visible := func(path []step, at ssa.Instruction) bool {
		if at.Parent() != s.Parent() {
			return true
		}
		var match []store
		for _, o := range stores {
			if prefixOf(o.path, path) {
				match = append(match, o)
			}
		}
		seen, _ := reaching(match, at)
		return slices.ContainsFunc(seen, func(o store) bool { return o.instr == ssa.Instruction(s) })
	}
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.UnOp:
			if t.m.carries(r.Type()) {
				if visible([]step{fieldStep(2)}, r) {
					t.add(r)
				}
				continue
			}
			if field >= 0 && visible([]step{fieldStep(field)}, r) { // the struct as a whole goes to another variable
				for _, u := range *r.Referrers() {
					if st, ok := u.(*ssa.Store); ok && !t.copied[st] {
						if b, ok := st.Addr.(*ssa.Alloc); ok {
							t.copied[st] = true
							t.variable(b, field, st)
						}
					}
				}
			}
		case *ssa.FieldAddr:
			if field < 0 || field == r.Field {
				if t.m.carries(deref(r.Type())) {
					t.loads(r, func(at ssa.Instruction) bool { return visible([]step{fieldStep(r.Field)}, at) })
				}
			}
		case *ssa.MakeClosure:
			fn := r.Fn.(*ssa.Function)
			for i, b := range r.Bindings {
				if b == a {
					t.loads(fn.FreeVars[i], nil)
				}
			}
		case ssa.CallInstruction: // its address
			if visible([]step{fieldStep(2)}, r) {
				t.call(a, r)
			}
		}
	}
}

// loads follows what is read from an address.
func (t *taint) loads(addr ssa.Value, visible func(ssa.Instruction) bool) {
	for _, r := range *addr.Referrers() {
		switch r := r.(type) {
		case *ssa.UnOp:
			if r.Op == token.MUL && t.m.carries(r.Type()) && (visible == nil || visible(r)) {
				t.add(r)
			}
		case *ssa.FieldAddr:
			if t.m.carries(deref(r.Type())) {
				t.loads(r, visible)
			}
		case *ssa.MakeClosure:
			fn := r.Fn.(*ssa.Function)
			for i, b := range r.Bindings {
				if b == addr {
					t.loads(fn.FreeVars[i], nil)
				}
			}
		}
	}
}

// writers are functions without source here that write to their nth argument.
var writers = map[string]int{
	"slices.Sort": 0, "slices.SortFunc": 0, "slices.SortStableFunc": 0, "slices.Reverse": 0, "slices.Delete": 0, "slices.DeleteFunc": 0,
	"slices.Replace": 0, "slices.Compact": 0, "slices.CompactFunc": 0,
	"io.ReadFull": 1, "io.ReadAtLeast": 1, "crypto/rand.Read": 0, "math/rand.Read": 0, "encoding/hex.Encode": 0, "encoding/hex.Decode": 0,
	"unicode/utf8.EncodeRune": 0,
}

// sharers are functions whose result shares the bytes of an argument.
var sharers = []string{"Trim", "Cut", "Split", "Fields", "Clip", "Grow"}

func (t *taint) call(v ssa.Value, c ssa.CallInstruction) {
	common := c.Common()
	result, _ := c.(ssa.Value)
	if b, ok := common.Value.(*ssa.Builtin); ok {
		switch b.Name() {
		case "copy", "clear":
			if common.Args[0] == v {
				t.write(c.Pos(), "")
			}
		case "append":
			if common.Args[0] == v && !t.full[v] {
				if t.shorter[v] {
					t.write(c.Pos(), "")
				}
				if result != nil {
					t.add(result)
				}
			}
		}
		return
	}
	if common.IsInvoke() {
		if common.Method.Name() == "Read" && len(common.Args) == 1 && common.Args[0] == v {
			t.write(c.Pos(), "Read")
		}
		return
	}
	fn := common.StaticCallee()
	if fn == nil || t.m.bus.owns(fn) {
		return
	}
	obj := declared(fn)
	if i, ok := writers[fullName(fn)]; ok && i < len(common.Args) && common.Args[i] == v {
		t.write(c.Pos(), obj.Pkg().Name()+"."+obj.Name())
		return
	}
	if obj != nil && obj.Pkg() != nil {
		recv := obj.Signature().Recv()
		switch path := obj.Pkg().Path(); {
		case (path == "bytes" || path == "slices") && recv == nil:
			for _, s := range sharers {
				if strings.HasPrefix(obj.Name(), s) && result != nil {
					t.add(result)
					t.full[result] = s == "Clip"
				}
			}
			return
		case path == "encoding/binary" && strings.HasPrefix(obj.Name(), "Put"):
			t.write(c.Pos(), "binary."+obj.Name())
			return
		case recv != nil && (obj.Name() == "Read" || obj.Name() == "XORKeyStream" || obj.Name() == "Encode" && path == "encoding/base64"):
			if len(common.Args) > 1 && common.Args[1] == v {
				t.write(c.Pos(), obj.Name())
			}
			return
		}
	}
	w := t.m.summary(fn)
	if w == nil {
		return
	}
	for i, a := range common.Args {
		if a != v {
			continue
		}
		if slices.Contains(w.To, i) && !t.m.isHandler(fn) {
			t.write(c.Pos(), funcName(fn))
		}
		if slices.Contains(w.Returns, i) && result != nil {
			t.add(result)
		}
	}
}
