package main

import (
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// store is one write to a place within a variable.
type store struct {
	path  []step
	v     ssa.Value
	instr ssa.Instruction // in the function that writes
}

// memory is what is known of one variable: all writes to it that can be seen,
// and whether there may be others.
type memory struct {
	stores  []store
	escapes bool // its address is passed on as a whole
	written bool // its address is passed to something that writes to it, such as a flag or a decoder
}

// load evaluates what is at address addr, along path, when instruction at runs.
func (e *evaluator) load(addr ssa.Value, fr *frame, path []step, at ssa.Instruction, ch *choices, y yield) {
	if e.total--; e.total < 0 {
		e.gaveUp = true
		return
	}
	if e.steps--; e.steps < 0 || fr == nil {
		y(val{}, ch)
		return
	}
	switch a := addr.(type) {
	case *ssa.FieldAddr:
		e.load(a.X, fr, push(fieldStep(a.Field), path), at, ch, y)
	case *ssa.IndexAddr:
		e.element(a.X, a.Index, fr, path, ch, y)
	case *ssa.Alloc, *ssa.Global:
		e.variable(a, fr, path, at, fr, ch, y)
	default:
		answered := false
		e.eval(addr, fr, nil, ch, func(x val, ch *choices) {
			if x.kind == object {
				switch v := x.v.(type) {
				case *ssa.Alloc, *ssa.Global:
					answered = true
					e.variable(v, x.fr, path, at, fr, ch, y)
					return
				case *ssa.FieldAddr, *ssa.IndexAddr:
					answered = true
					e.load(v, x.fr, path, nil, ch, y)
					return
				}
			}
			if x.kind == constant_ { // a nil pointer holds nothing
				return
			}
			if !answered {
				answered = true
				e.byType(addr, path, ch, y)
			}
		})
	}
}

// byType answers for a field of a struct that can't be told apart from others of
// its type: what all writes to that field in the program agree on.
func (e *evaluator) byType(addr ssa.Value, path []step, ch *choices, y yield) {
	if len(path) == 0 || path[0].field < 0 {
		y(val{}, ch)
		return
	}
	named := namedOf(addr.Type())
	if named == nil {
		y(val{}, ch)
		return
	}
	var found []val
	var chs []*choices
	for _, s := range e.p.fieldStores[fieldKey{named.Obj(), path[0].field}] {
		if e.p.reach[s.Parent()] {
			e.eval(s.Val, e.open(s.Parent()), path[1:], ch, func(x val, c *choices) {
				for _, o := range found {
					if same(o, x) {
						return
					}
				}
				found, chs = append(found, x), append(chs, c)
			})
		}
	}
	isData := len(path) > 1 && e.p.bus.isData(fieldType(named, path[:1]))
	if len(found) == 0 || len(found) > 1 && !isData {
		y(val{}, ch)
		return
	}
	for i, x := range found {
		if isData {
			y(x, chs[i])
		} else {
			y(x, ch)
		}
	}
}

func same(a, b val) bool {
	if a.kind != b.kind || a.kind == unknown {
		return a.kind == b.kind
	}
	if a.kind == constant_ && a.c != nil && b.c != nil {
		return a.c.Kind() == b.c.Kind() && constant.Compare(a.c, token.EQL, b.c)
	}
	return a.fn == b.fn && a.v == b.v && a.c == b.c
}

// memoryOf collects the writes to a variable.
func (e *evaluator) memoryOf(v ssa.Value) *memory {
	if m := e.p.memories[v]; m != nil {
		return m
	}
	if g, ok := v.(*ssa.Global); ok && g.Pkg != nil {
		e.p.needPkg(g.Pkg)
	}
	m := &memory{}
	e.p.memories[v] = m
	seen := map[ssa.Value]bool{}
	var collect func(v ssa.Value, path []step)
	collect = func(v ssa.Value, path []step) {
		if seen[v] {
			return
		}
		seen[v] = true
		for _, r := range e.p.referrers(v) {
			switch r := r.(type) {
			case *ssa.Store:
				if r.Addr == v {
					m.stores = append(m.stores, store{path, r.Val, r})
				} else {
					m.escapes = true
				}
			case *ssa.FieldAddr:
				collect(r, append(slices.Clone(path), fieldStep(r.Field)))
			case *ssa.IndexAddr:
				if r.X == v {
					collect(r, append(slices.Clone(path), step{field: -1, index: r.Index, at: constIndex(r.Index)}))
				}
			case *ssa.Slice:
				if r.X == v {
					collect(r, path)
				}
			case *ssa.MakeClosure:
				fn := r.Fn.(*ssa.Function)
				for i, b := range r.Bindings {
					if b == v && i < len(fn.FreeVars) {
						collect(fn.FreeVars[i], path)
					}
				}
			case *ssa.UnOp, *ssa.DebugRef, *ssa.BinOp, *ssa.If:
			case ssa.CallInstruction:
				if _, ok := r.Common().Value.(*ssa.Builtin); ok {
					continue
				}
				m.escapes = true
				m.written = m.written || writer(r.Common(), len(path), v)
			case *ssa.MakeInterface:
				m.escapes = true
				for _, u := range *r.Referrers() {
					if c, ok := u.(ssa.CallInstruction); ok {
						m.written = m.written || writer(c.Common(), 0, nil)
					}
				}
			default:
				m.escapes = true
			}
		}
	}
	collect(v, nil)
	return m
}

// writer reports whether a call that is given the address of a variable is
// there to write to it.
func writer(c *ssa.CallCommon, depth int, v ssa.Value) bool {
	name := ""
	if c.IsInvoke() {
		name = c.Method.Name()
	} else if fn := c.StaticCallee(); fn != nil {
		name = fn.Name()
		if fn.Blocks == nil && v != nil {
			if p, ok := v.Type().Underlying().(*types.Pointer); ok && isString(p.Elem()) {
				return true
			}
		}
	}
	for _, w := range []string{"Unmarshal", "Decode", "Scan", "Parse", "Process", "StringVar", "Load", "Read"} {
		if strings.HasPrefix(name, w) {
			return true
		}
	}
	return false
}

// constIndex returns the number that v is, or -1.
func constIndex(v ssa.Value) int {
	if c, ok := v.(*ssa.Const); ok && c.Value != nil && c.Value.Kind() == constant.Int {
		if i, ok := constant.Int64Val(c.Value); ok {
			return int(i)
		}
	}
	return -1
}

// variable evaluates what variable v (an Alloc in vfr, or a Global) holds along
// path when at runs in frame fr.
func (e *evaluator) variable(v ssa.Value, vfr *frame, path []step, at ssa.Instruction, fr *frame, ch *choices, y yield) {
	m := e.memoryOf(v)
	var match []store
	whole := false
	for _, s := range m.stores {
		switch {
		case prefixOf(s.path, path):
			match = append(match, s)
		case prefixOf(path, s.path):
			whole = true // a part of what is asked for
		}
	}
	_, global := v.(*ssa.Global)
	if global {
		kept := match[:0:0]
		for _, s := range match {
			if fn := s.instr.Parent(); e.p.reach[fn] || strings.HasPrefix(fn.Name(), "init") {
				kept = append(kept, s)
			}
		}
		match = kept
		if g := v.(*ssa.Global); g.Pkg != nil && g.Pkg.Func("init") != nil && g.Pkg.Func("init").Blocks == nil {
			y(val{}, ch) // from a package without source
			return
		}
	}
	zero := !whole
	if !global {
		// Where in the variable's own function are we?
		for f := fr; f != nil && f != vfr; f = f.caller {
			if f.caller == vfr {
				at = f.site
			}
		}
		if at != nil && at.Parent() == v.Parent() {
			match, zero = reaching(match, at)
			zero = zero && !whole
		} else if len(match) > 0 {
			zero = false
		}
	} else if len(match) > 0 {
		zero = false
	}
	if m.written {
		y(val{}, ch)
	}
	if whole && len(match) == 0 {
		y(val{kind: object, v: v, fr: vfr, typ: v.Type()}, ch)
		return
	}
	for _, s := range match {
		sfr := vfr
		if fn := s.instr.Parent(); global || fn != vfr.fn {
			sfr = e.open(fn)
		}
		e.eval(s.v, sfr, path[len(s.path):], ch, y)
	}
	if m.escapes && len(path) > 0 && path[0].field >= 0 {
		e.others(v, vfr, path, m, ch, y, &zero)
	}
	if zero {
		e.zero(fieldType(deref(v.Type()), path), y, ch)
	}
}

// others adds the writes to a field of v that go through another pointer, such
// as those of its methods.
func (e *evaluator) others(v ssa.Value, vfr *frame, path []step, m *memory, ch *choices, y yield, zero *bool) {
	named := namedOf(v.Type())
	if named == nil {
		return
	}
	for _, s := range e.p.fieldStores[fieldKey{named.Obj(), path[0].field}] {
		fa := s.Addr.(*ssa.FieldAddr)
		if !e.p.reach[s.Parent()] {
			continue
		}
		switch fa.X.(type) {
		case *ssa.Alloc, *ssa.Global, *ssa.FieldAddr, *ssa.IndexAddr:
			continue // seen already, or another variable
		}
		if slices.ContainsFunc(m.stores, func(o store) bool { return o.instr == ssa.Instruction(s) }) {
			continue
		}
		sfr := e.open(s.Parent())
		e.eval(fa.X, sfr, nil, ch, func(x val, c *choices) {
			if x.kind != object || x.v != v {
				return
			}
			// Two calls of a constructor make two objects.
			if x.fr == vfr || x.fr == nil || vfr == nil || x.fr.caller == nil || vfr.caller == nil {
				*zero = false
				e.eval(s.Val, sfr, path[1:], c, y)
			}
		})
	}
}

// reaching drops the stores, all of them to the same place, that can't be seen at
// instruction at, and reports
// whether the value before all of them can.
func reaching(ss []store, at ssa.Instruction) (seen []store, zero bool) {
	fn := at.Parent()
	zero = true
	for _, s := range ss {
		if s.instr.Parent() != fn {
			seen = append(seen, s) // in a closure: at any time
			continue
		}
		if !canReach(s.instr, at) {
			continue
		}
		hidden := false
		for _, t := range ss {
			if t.instr != s.instr && t.instr.Parent() == fn && definite(t.path) &&
				dominates(t.instr, at) && (dominates(s.instr, t.instr) || !canReach(t.instr, s.instr)) && canReach(s.instr, t.instr) {
				hidden = true
			}
		}
		if dominates(s.instr, at) {
			zero = false
		}
		if !hidden {
			seen = append(seen, s)
		}
	}
	return seen, zero
}

// definite reports whether a write along path surely hits: not where it is to an
// element whose number isn't known.
func definite(path []step) bool {
	return !slices.ContainsFunc(path, func(s step) bool { return s.field < 0 && s.at < 0 })
}

func instrIndex(i ssa.Instruction) int { return slices.Index(i.Block().Instrs, i) }

func dominates(a, b ssa.Instruction) bool {
	if a.Block() == b.Block() {
		return instrIndex(a) < instrIndex(b)
	}
	return a.Block().Dominates(b.Block())
}

func canReach(a, b ssa.Instruction) bool {
	if a.Block() == b.Block() && instrIndex(a) < instrIndex(b) {
		return true
	}
	seen := map[*ssa.BasicBlock]bool{}
	todo := slices.Clone(a.Block().Succs)
	for len(todo) > 0 {
		blk := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if blk == b.Block() {
			return true
		}
		if !seen[blk] {
			seen[blk] = true
			todo = append(todo, blk.Succs...)
		}
	}
	return false
}

func prefixOf(a, b []step) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if a[i].field != b[i].field {
			return false
		}
		if a[i].field < 0 && a[i].at >= 0 && b[i].at >= 0 && a[i].at != b[i].at {
			return false
		}
	}
	return true
}

// entry is one element of a slice or a map.
type entry struct {
	key ssa.Value // of a map
	v   ssa.Value // the value, or
	mem ssa.Value // the variable it is in, along
	at  int
	fr  *frame
	pos token.Pos
}

// content evaluates an entry along path.
func (e *evaluator) content(en entry, path []step, ch *choices, y yield) {
	switch en.mem.(type) {
	case nil:
	case *ssa.FieldAddr, *ssa.IndexAddr:
		e.load(en.mem, en.fr, push(elemStep(en.at), path), nil, ch, y)
		return
	default:
		e.variable(en.mem, en.fr, push(elemStep(en.at), path), nil, en.fr, ch, y)
		return
	}
	e.eval(en.v, en.fr, path, ch, y)
}

// choose takes the entry that was chosen before under key, or each in turn.
func (e *evaluator) choose(key any, list []entry, ch *choices, f func(entry, *choices)) {
	if i, ok := ch.get(key); ok {
		if i := i.(int); i < len(list) {
			f(list[i], ch)
		}
		return
	}
	for i, en := range list {
		c := ch.with(key, i)
		if en.pos.IsValid() {
			c = c.with(row{en.pos}, true)
		}
		f(en, c)
	}
}

// element evaluates x[index].path, where x is a slice, an array or a pointer to
// an array.
func (e *evaluator) element(x, index ssa.Value, fr *frame, path []step, ch *choices, y yield) {
	n := constIndex(index)
	if n < 0 {
		switch index.(type) {
		case *ssa.Phi, *ssa.BinOp:
		default:
			e.eval(index, fr, nil, ch, func(i val, ch *choices) {
				if i.kind == constant_ && i.c != nil && i.c.Kind() == constant.Int {
					if at, ok := constant.Int64Val(i.c); ok {
						e.nth(x, int(at), fr, path, ch, y)
						return
					}
				}
				e.any(x, index, fr, path, ch, y)
			})
			return
		}
		e.any(x, index, fr, path, ch, y)
		return
	}
	e.nth(x, n, fr, path, ch, y)
}

func (e *evaluator) any(x, index ssa.Value, fr *frame, path []step, ch *choices, y yield) {
	e.elements(x, fr, ch, func(list []entry, ch *choices) {
		e.choose(indexOf{fr, index}, list, ch, func(en entry, ch *choices) { e.content(en, path, ch, y) })
	}, y)
}

func (e *evaluator) nth(x ssa.Value, n int, fr *frame, path []step, ch *choices, y yield) {
	e.elements(x, fr, ch, func(list []entry, ch *choices) {
		if n < len(list) {
			e.content(list[n], path, ch, y)
			return
		}
		y(val{}, ch)
	}, y)
}

// elements yields the elements of a slice or array, or tells y that they are
// unknown.
func (e *evaluator) elements(x ssa.Value, fr *frame, ch *choices, f func([]entry, *choices), y yield) {
	e.eval(x, fr, nil, ch, func(o val, ch *choices) { e.elementsOf(o, ch, f, y) })
}

func (e *evaluator) elementsOf(o val, ch *choices, f func([]entry, *choices), y yield) {
	if o.kind == constant_ {
		f(nil, ch)
		return
	}
	if o.kind != object {
		y(val{}, ch)
		return
	}
	switch v := o.v.(type) {
	case *ssa.Slice:
		e.eval(v.X, o.fr, nil, ch, func(x val, ch *choices) { e.elementsOf(x, ch, f, y) })
	case *ssa.Alloc, *ssa.Global:
		arr, ok := under(deref(v.Type())).(*types.Array)
		if !ok {
			y(val{}, ch)
			return
		}
		m := e.memoryOf(v)
		if m.written || arr.Len() > 20_000 {
			y(val{}, ch)
			return
		}
		list := make([]entry, arr.Len())
		for i := range list {
			list[i] = entry{mem: v, at: i, fr: o.fr}
		}
		for _, s := range m.stores {
			if len(s.path) > 0 && s.path[0].at >= 0 && s.path[0].at < len(list) && !list[s.path[0].at].pos.IsValid() {
				list[s.path[0].at].pos = s.instr.Pos()
			}
		}
		f(list, ch)
	case *ssa.MakeSlice:
		var list []entry
		for _, s := range e.memoryOf(v).stores {
			list = append(list, entry{v: s.v, fr: o.fr, pos: s.instr.Pos()})
		}
		if len(list) == 0 {
			if c, ok := v.Len.(*ssa.Const); !ok || c.Int64() != 0 {
				y(val{}, ch)
				return
			}
		}
		f(list, ch)
	case *ssa.FieldAddr, *ssa.IndexAddr: // an array within something
		arr, ok := under(deref(v.Type())).(*types.Array)
		if !ok {
			y(val{}, ch)
			return
		}
		list := make([]entry, arr.Len())
		for i := range list {
			list[i] = entry{mem: v, at: i, fr: o.fr}
		}
		f(list, ch)
	case *ssa.Call:
		args := v.Call.Args
		if _, ok := v.Call.Value.(*ssa.Builtin); ok { // append
			for a := e.stack; a != nil; a = a.next {
				if a.v == v && a.fr == o.fr && a.n == -1 {
					return // appended to in a loop: once is enough
				}
			}
			saved, outer, outerY := e.stack, f, y
			defer func() { e.stack = saved }()
			e.stack = &active{v, o.fr, -1, saved}
			leave := func(g func()) {
				inner := e.stack
				e.stack = saved
				g()
				e.stack = inner
			}
			f = func(list []entry, ch *choices) { leave(func() { outer(list, ch) }) }
			y = func(x val, ch *choices) { leave(func() { outerY(x, ch) }) }
			e.elements(args[0], o.fr, ch, func(a []entry, ch *choices) {
				if len(args) < 2 {
					f(a, ch)
					return
				}
				e.elements(args[1], o.fr, ch, func(b []entry, ch *choices) {
					f(append(slices.Clip(a), b...), ch)
				}, y)
			}, y)
			return
		}
		switch fn := v.Call.StaticCallee(); fullName(fn) {
		case "slices.Values", "slices.Sorted", "slices.Collect", "slices.Clone", "slices.All":
			e.elements(args[0], o.fr, ch, f, y)
		case "maps.Keys", "maps.Values":
			e.entries(args[0], o.fr, ch, func(list []entry, ch *choices) {
				out := make([]entry, len(list))
				for i, en := range list {
					out[i] = entry{v: en.v, fr: en.fr, pos: en.pos}
					if fullName(fn) == "maps.Keys" {
						out[i].v = en.key
					}
				}
				f(out, ch)
			}, y)
		default:
			y(val{}, ch)
		}
	default:
		y(val{}, ch)
	}
}

// entries yields the keys and values of a map.
func (e *evaluator) entries(x ssa.Value, fr *frame, ch *choices, f func([]entry, *choices), y yield) {
	e.eval(x, fr, nil, ch, func(o val, ch *choices) {
		if o.kind == constant_ {
			f(nil, ch)
			return
		}
		if o.kind != object {
			y(val{}, ch)
			return
		}
		if c, ok := o.v.(*ssa.Call); ok && (fullName(c.Call.StaticCallee()) == "maps.Clone" || fullName(c.Call.StaticCallee()) == "maps.All") {
			e.entries(c.Call.Args[0], o.fr, ch, f, y)
			return
		}
		m, ok := o.v.(*ssa.MakeMap)
		if !ok {
			y(val{}, ch)
			return
		}
		var list []entry
		seen := map[ssa.Instruction]bool{}
		add := func(u *ssa.MapUpdate, fr *frame) {
			if !seen[u] {
				seen[u] = true
				list = append(list, entry{key: u.Key, v: u.Value, fr: fr, pos: u.Pos()})
			}
		}
		for _, r := range *m.Referrers() {
			switch r := r.(type) {
			case *ssa.MapUpdate:
				if r.Map == m {
					add(r, o.fr)
				}
			case *ssa.Store: // kept in a variable, through which others may write
				for _, u := range e.p.mapUpdates {
					if l, ok := u.Map.(*ssa.UnOp); ok && e.p.reach[u.Parent()] && sameVariable(l.X, r.Addr) {
						if u.Parent() == m.Parent() {
							add(u, o.fr)
						} else {
							add(u, e.open(u.Parent()))
						}
					}
				}
			}
		}
		f(list, ch)
	})
}

// sameVariable reports whether two addresses are the same global or the same
// field of the same type, or of the same variable.
func sameVariable(a, b ssa.Value) bool {
	if a == b {
		return true
	}
	x, ok1 := a.(*ssa.FieldAddr)
	y, ok2 := b.(*ssa.FieldAddr)
	return ok1 && ok2 && x.Field == y.Field && types.Identical(x.X.Type(), y.X.Type())
}

// lookup evaluates m[k].path.
func (e *evaluator) lookup(v *ssa.Lookup, fr *frame, path []step, ch *choices, y yield) {
	if isString(v.X.Type()) {
		y(val{}, ch)
		return
	}
	e.entries(v.X, fr, ch, func(list []entry, ch *choices) {
		e.eval(v.Index, fr, nil, ch, func(k val, ch *choices) {
			if k.kind != constant_ || k.c == nil {
				e.choose(indexOf{fr, v.Index}, list, ch, func(en entry, ch *choices) { e.eval(en.v, en.fr, path, ch, y) })
				return
			}
			found := false
			for _, en := range list {
				e.eval(en.key, en.fr, nil, ch, func(x val, c *choices) {
					if same(x, k) {
						found = true
						e.eval(en.v, en.fr, path, ch, y)
					}
				})
			}
			if !found {
				e.zero(fieldType(v.Type(), path), y, ch)
			}
		})
	}, y)
}

// iterate evaluates what a library's iterator hands to the body of a loop.
func (e *evaluator) iterate(it *ssa.Call, v *ssa.Parameter, fr *frame, path []step, ch *choices, y yield) {
	n := paramIndex(v)
	e.eval(it.Call.Value, fr, nil, ch, func(o val, ch *choices) {
		c, ok := o.v.(*ssa.Call)
		if o.kind != object || !ok {
			y(val{}, ch)
			return
		}
		key := indexOf{fr, it}
		name := fullName(c.Call.StaticCallee())
		if name == "maps.All" {
			e.entries(c.Call.Args[0], o.fr, ch, func(list []entry, ch *choices) {
				e.choose(key, list, ch, func(en entry, ch *choices) {
					if n == 0 {
						e.eval(en.key, en.fr, path, ch, y)
					} else {
						e.eval(en.v, en.fr, path, ch, y)
					}
				})
			}, y)
			return
		}
		if name == "slices.All" && n == 0 {
			y(val{}, ch)
			return
		}
		e.elementsOf(o, ch, func(list []entry, ch *choices) {
			e.choose(key, list, ch, func(en entry, ch *choices) { e.content(en, path, ch, y) })
		}, y)
	})
}
