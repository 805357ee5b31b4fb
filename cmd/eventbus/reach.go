package main

import (
	"go/constant"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// reached is a function that runs because another one does.
type reached struct {
	fn   *ssa.Function
	fr   *frame
	cond bool            // a condition stands between
	once bool            // only within a sync.Once
	from *reached        // nil for the first
	site ssa.Instruction // in from
}

// reachFrom returns what runs when fn does, judging function values by what they
// are in each activation: a wrapper round a handler leads to that handler only.
func (p *program) reachFrom(fn *ssa.Function, maker *frame) map[*ssa.Function]*reached {
	all := map[*ssa.Function]*reached{}
	seen := map[*frame]bool{}
	start := &reached{fn: fn, fr: p.eval.closed(fn, nil, nil, maker)}
	sure, maybe := []*reached{start}, []*reached(nil)
	for len(sure)+len(maybe) > 0 {
		var r *reached
		if len(sure) > 0 {
			r, sure = sure[0], sure[1:]
		} else {
			r, maybe = maybe[0], maybe[1:]
		}
		if seen[r.fr] {
			continue
		}
		seen[r.fr] = true
		if old := all[r.fn]; old == nil || old.once && !r.once {
			all[r.fn] = r
		}
		if r.fn.Blocks == nil || p.bus.owns(r.fn) || len(seen) > 3000 {
			continue
		}
		for _, b := range r.fn.Blocks {
			for _, instr := range b.Instrs {
				c, ok := instr.(ssa.CallInstruction)
				if !ok {
					continue
				}
				cond := r.cond || !p.always(b)
				p.step(r, c, func(fn *ssa.Function, fr *frame, once bool) {
					n := &reached{fn: fn, fr: fr, cond: cond, once: r.once || once, from: r, site: instr}
					if cond {
						maybe = append(maybe, n)
					} else {
						sure = append(sure, n)
					}
				})
			}
		}
	}
	return all
}

// step calls f for each function that call c of r starts.
func (p *program) step(r *reached, c ssa.CallInstruction, f func(fn *ssa.Function, fr *frame, once bool)) {
	common := c.Common()
	callee := common.StaticCallee()
	if callee != nil && p.bus.op(callee) != opNone || common.IsInvoke() && p.bus.invoked(common) != opNone {
		return // what a dispatch sets off is not the caller's; what is registered runs later
	}
	enter := func(fn *ssa.Function, maker *frame) {
		if fn == nil {
			return
		}
		var fr *frame
		if contextual(fn) {
			fr = p.eval.closed(fn, r.fr, c, maker)
		}
		if fr == nil || fr.depth > 8 {
			fr = p.eval.closed(fn, nil, nil, maker)
		}
		f(fn, fr, false)
	}
	found := false
	switch {
	case common.IsInvoke():
		p.eval.ask(func() {
			p.eval.callees(c, r.fr, nil, func(fn *ssa.Function, maker *frame, _ *choices) {
				if fn != nil {
					found = true
					enter(fn, maker)
				}
			})
		})
		if !found {
			for _, fn := range p.implementers(common) {
				enter(fn, nil)
			}
		}
	case callee != nil:
		var maker *frame
		if _, ok := common.Value.(*ssa.MakeClosure); ok {
			maker = r.fr
		}
		enter(callee, maker)
	default:
		if _, ok := common.Value.(*ssa.Builtin); ok {
			return
		}
		p.eval.ask(func() {
			p.eval.callees(c, r.fr, nil, func(fn *ssa.Function, maker *frame, _ *choices) { enter(fn, maker) })
		})
	}
	// Functions handed to code that we can't see run there.
	if callee != nil && callee.Blocks != nil && !common.IsInvoke() {
		return
	}
	obj := declared(callee)
	once := obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == "sync" && (obj.Name() == "Do" || strings.HasPrefix(obj.Name(), "Once"))
	for _, a := range common.Args {
		switch x := stripped(a).(type) {
		case *ssa.Function:
			f(x, p.eval.closed(x, nil, nil, nil), once)
		case *ssa.MakeClosure:
			fn := x.Fn.(*ssa.Function)
			f(fn, p.eval.closed(fn, nil, nil, r.fr), once)
		}
	}
}

// contextual reports whether what fn does depends on who calls it, as far as
// function values go.
func contextual(fn *ssa.Function) bool {
	if len(fn.FreeVars) > 0 {
		return true
	}
	for _, v := range fn.Params {
		s := under(v.Type()).String()
		if strings.HasPrefix(s, "func(") || strings.HasPrefix(s, "interface{") || strings.Contains(s, "func(") {
			return true
		}
	}
	return false
}

// always reports whether b runs whenever its function does and nothing fails.
func (p *program) always(b *ssa.BasicBlock) bool {
	fn := b.Parent()
	alive := func(avoid *ssa.BasicBlock) map[*ssa.BasicBlock]bool {
		seen := map[*ssa.BasicBlock]bool{}
		todo := []*ssa.BasicBlock{fn.Blocks[0]}
		for len(todo) > 0 {
			x := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if x == avoid || seen[x] {
				continue
			}
			seen[x] = true
			for i, s := range x.Succs {
				if !failing(x, i) {
					todo = append(todo, s)
				}
			}
		}
		return seen
	}
	if b == fn.Blocks[0] {
		return true
	}
	if !alive(nil)[b] {
		return false
	}
	for x := range alive(b) {
		if len(x.Instrs) > 0 {
			if _, ok := x.Instrs[len(x.Instrs)-1].(*ssa.Return); ok {
				return false
			}
		}
	}
	return true
}

// failing reports whether the way from b to its successor i is taken on an error.
func failing(b *ssa.BasicBlock, i int) bool {
	br, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok {
		return false
	}
	cond, ok := br.Cond.(*ssa.BinOp)
	if !ok || !isNil(cond.Y) && !isNil(cond.X) || !isErrorType(cond.X.Type()) {
		return false
	}
	return cond.Op == token.NEQ && i == 0 || cond.Op == token.EQL && i == 1
}

// belongs reports whether a call of the bus runs because the function that rs
// was made from does, and whether a condition stands between.
func (p *program) belongs(s *site, top *ssa.Function, rs map[*ssa.Function]*reached) (r *reached, cond bool) {
	r = rs[s.fn]
	if r == nil {
		return nil, false
	}
	cond = !p.always(s.instr.Block())
	fr := p.eval.open(s.fn)
	for {
		if fr.fn == top {
			return r, cond || rs[fr.fn].cond
		}
		c, ok := s.ch.get(callerOf{fr})
		cc, _ := c.(*callerChoice)
		if !ok || cc == nil {
			break
		}
		cond = cond || !p.always(cc.site.Block())
		fr = cc.fr
	}
	end := rs[fr.fn]
	if end == nil {
		return nil, false
	}
	return r, cond || end.cond
}

// filter says for which events a block of a handler runs, as its comparisons of
// the data's domain and action tell.
type filter struct{ domain, action values }

// values is a set of strings, or all but a set of strings.
type values struct {
	set  []string
	only bool // set is all there is; else it is what is left out
}

func (v values) has(s string) bool { return slices.Contains(v.set, s) == v.only }

func (f filter) admits(n name) bool {
	return (n.domain == "" || n.domain == wild || f.domain.has(n.domain)) && (n.action == "" || n.action == wild || f.action.has(n.action))
}

func union(a, b values) values {
	switch {
	case a.only && b.only:
		return values{append(slices.Clone(a.set), b.set...), true}
	case !a.only && !b.only:
		var both []string
		for _, s := range a.set {
			if slices.Contains(b.set, s) {
				both = append(both, s)
			}
		}
		return values{both, false}
	case a.only:
		a, b = b, a
		fallthrough
	default: // all but a.set, and b.set
		var left []string
		for _, s := range a.set {
			if !slices.Contains(b.set, s) {
				left = append(left, s)
			}
		}
		return values{left, false}
	}
}

func (v values) restrict(s string, equal bool) values {
	if equal {
		if v.has(s) {
			return values{[]string{s}, true}
		}
		return values{nil, true}
	}
	if v.only {
		return values{slices.DeleteFunc(slices.Clone(v.set), func(o string) bool { return o == s }), true}
	}
	return values{append(slices.Clone(v.set), s), false}
}

// filterAt returns the filter of block b in its function.
func (p *program) filterAt(b *ssa.BasicBlock) filter {
	fn := b.Parent()
	fs := p.filters[fn]
	if fs == nil {
		fs = p.computeFilters(fn)
		p.filters[fn] = fs
	}
	return fs[b]
}

func (p *program) computeFilters(fn *ssa.Function) map[*ssa.BasicBlock]filter {
	none := filter{values{nil, true}, values{nil, true}}
	in := map[*ssa.BasicBlock]filter{}
	for _, b := range fn.Blocks {
		in[b] = none
	}
	in[fn.Blocks[0]] = filter{}
	for range len(fn.Blocks) + 2 {
		changed := false
		for _, b := range fn.Blocks {
			if b == fn.Blocks[0] {
				continue
			}
			next := none
			for _, pred := range b.Preds {
				f := in[pred]
				for i, s := range pred.Succs {
					if s == b {
						g := p.along(f, pred, i)
						next = filter{union(next.domain, g.domain), union(next.action, g.action)}
					}
				}
			}
			slices.Sort(next.domain.set)
			slices.Sort(next.action.set)
			next.domain.set, next.action.set = slices.Compact(next.domain.set), slices.Compact(next.action.set)
			old := in[b]
			if old.domain.only != next.domain.only || old.action.only != next.action.only ||
				!slices.Equal(old.domain.set, next.domain.set) || !slices.Equal(old.action.set, next.action.set) {
				in[b] = next
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	return in
}

func (p *program) along(f filter, b *ssa.BasicBlock, succ int) filter {
	br, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok || b.Succs[0] == b.Succs[1] {
		return f
	}
	cond, ok := br.Cond.(*ssa.BinOp)
	if !ok || cond.Op != token.EQL && cond.Op != token.NEQ {
		return f
	}
	x, y := cond.X, cond.Y
	if _, ok := x.(*ssa.Const); ok {
		x, y = y, x
	}
	c, ok := y.(*ssa.Const)
	if !ok || c.Value == nil || c.Value.Kind() != constant.String {
		return f
	}
	equal := (cond.Op == token.EQL) == (succ == 0)
	switch p.dataField(x) {
	case 0:
		f.domain = f.domain.restrict(constant.StringVal(c.Value), equal)
	case 1:
		f.action = f.action.restrict(constant.StringVal(c.Value), equal)
	}
	return f
}

// dataField returns which field of the data that a function was given v is, or
// -1.
func (p *program) dataField(v ssa.Value) int {
	switch v := stripped(v).(type) {
	case *ssa.Field:
		if _, ok := v.X.(*ssa.Parameter); ok && p.bus.isData(v.X.Type()) {
			return v.Field
		}
	case *ssa.UnOp:
		fa, ok := v.X.(*ssa.FieldAddr)
		if !ok || v.Op != token.MUL || !p.bus.isData(deref(fa.X.Type())) {
			return -1
		}
		if a, ok := fa.X.(*ssa.Alloc); ok {
			for _, r := range *a.Referrers() {
				if s, ok := r.(*ssa.Store); ok && s.Addr == a {
					if _, ok := s.Val.(*ssa.Parameter); ok {
						return fa.Field
					}
				}
			}
		}
	}
	return -1
}

// blockIn returns the block of function fn on the way from the site up to it.
func (p *program) blockIn(s *site, fn *ssa.Function) *ssa.BasicBlock {
	b, fr := s.instr.Block(), p.eval.open(s.fn)
	for fr.fn != fn {
		c, ok := s.ch.get(callerOf{fr})
		cc, _ := c.(*callerChoice)
		if !ok || cc == nil {
			return nil
		}
		b, fr = cc.site.Block(), cc.fr
	}
	return b
}
