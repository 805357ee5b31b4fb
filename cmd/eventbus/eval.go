package main

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// The evaluator answers what a value may be, by looking back from where it is
// used: through variables, fields, tables, helper functions and closures, and up
// to the callers where it is a parameter. Where there are several answers it
// gives them one after the other, each with the choices it rests on (this caller,
// that row of the table), so that several values of one call can be asked for
// under the same choices: the domain, the action and the handler of one
// registration stay together.

// frame is one activation of a function, as far as it matters.
type frame struct {
	fn     *ssa.Function
	caller *frame              // who called, nil where that is open
	site   ssa.CallInstruction // the call, in caller
	maker  *frame              // of a closure: the activation that made it, nil where that is open
	depth  int
}

type frameKey struct {
	fn            *ssa.Function
	caller, maker *frame
	site          ssa.CallInstruction
}

// choices is a persistent list of what has been chosen so far.
type choices struct {
	key  any
	val  any
	next *choices
}

func (c *choices) get(key any) (any, bool) {
	for ; c != nil; c = c.next {
		if c.key == key {
			return c.val, true
		}
	}
	return nil, false
}

func (c *choices) with(key, val any) *choices { return &choices{key, val, c} }

// Keys of choices.
type (
	callerOf struct{ fr *frame } // -> *callerChoice
	makerOf  struct{ fr *frame } // -> *frame
	returnOf struct{ fr *frame } // -> int
	edgeOf   struct {            // -> int, which way a block was reached
		fr    *frame
		block *ssa.BasicBlock
	}
	indexOf struct { // -> int, which element
		fr *frame
		v  ssa.Value
	}
)

type callerChoice struct {
	site  ssa.CallInstruction
	fr    *frame
	place token.Pos
}

// row remembers where the chosen element of a table is written.
type row struct{ pos token.Pos }

type kind int

const (
	unknown   kind = iota
	constant_      // c
	function       // fn, made in fr
	object         // the address or reference v in fr: an Alloc, a Global, a slice, a map
	received       // the data that the bus hands to fn
	dynamic        // the value v in fr, of static type typ, that was put into an interface
)

type val struct {
	kind kind
	c    constant.Value
	fn   *ssa.Function
	fr   *frame
	v    ssa.Value
	typ  types.Type
}

func (v val) str() (string, bool) {
	if v.kind == constant_ && v.c != nil && v.c.Kind() == constant.String {
		return constant.StringVal(v.c), true
	}
	return "", false
}

// step is a way into a value: a field of a struct, or an element.
type step struct {
	field int // -1 for an element
	index ssa.Value
	at    int // of an element whose number is known, else -1
}

func fieldStep(i int) step { return step{field: i, at: -1} }
func elemStep(at int) step { return step{field: -1, at: at} }

func push(s step, path []step) []step { return append([]step{s}, path...) }

type yield func(val, *choices)

// active is the stack of questions under way, to cut loops.
type active struct {
	v    ssa.Value
	fr   *frame
	n    int
	next *active
}

type evaluator struct {
	p      *program
	frames map[frameKey]*frame
	steps  int // left for the question under way
	total  int // left for it and all that is asked about its answers
	gaveUp bool
	stack  *active
	iface  bool // stop where a value is put into an interface
}

const (
	maxSteps = 20_000
	maxTotal = 150_000
)

// ask starts a question with fresh steps. Where they don't suffice, it reports
// false, and there may be more answers than were given.
func (e *evaluator) ask(f func()) bool {
	e.steps, e.total, e.stack, e.gaveUp = maxSteps, maxTotal, nil, false
	f()
	return !e.gaveUp
}

func (e *evaluator) open(fn *ssa.Function) *frame { return e.closed(fn, nil, nil, nil) }

func (e *evaluator) closed(fn *ssa.Function, caller *frame, site ssa.CallInstruction, maker *frame) *frame {
	depth := 0
	if caller != nil {
		depth = caller.depth + 1
	}
	if depth > 24 {
		return nil
	}
	if caller != nil {
		same := 0
		for f := caller; f != nil; f = f.caller {
			if f.fn == fn {
				same++
			}
		}
		if same > 2 {
			return nil
		}
	}
	k := frameKey{fn, caller, maker, site}
	f := e.frames[k]
	if f == nil {
		f = &frame{fn: fn, caller: caller, site: site, maker: maker, depth: depth}
		e.frames[k] = f
	}
	return f
}

// eval yields what v.path may be in fr.
func (e *evaluator) eval(v ssa.Value, fr *frame, path []step, ch *choices, y yield) {
	if e.total--; e.total < 0 {
		e.gaveUp = true
		return
	}
	if e.steps--; e.steps < 0 || fr == nil {
		y(val{}, ch)
		return
	}
	for a := e.stack; a != nil; a = a.next {
		if a.v == v && a.fr == fr && a.n == len(path) {
			return // the same question again: a loop adds nothing
		}
	}
	saved := e.stack
	e.stack = &active{v, fr, len(path), saved}
	defer func() { e.stack = saved }()
	outer := y
	y = func(x val, ch *choices) { // what is asked of the answer is another question
		inner := e.stack
		e.stack = saved
		outer(x, ch)
		e.stack = inner
	}
	switch v := v.(type) {
	case *ssa.Const:
		switch {
		case v.Value != nil:
			y(val{kind: constant_, c: v.Value, typ: v.Type()}, ch)
		case len(path) > 0:
			e.zero(fieldType(v.Type(), path), y, ch)
		default:
			y(val{kind: constant_, typ: v.Type()}, ch)
		}
	case *ssa.Function:
		y(val{kind: function, fn: v}, ch)
	case *ssa.MakeClosure:
		y(val{kind: function, fn: v.Fn.(*ssa.Function), fr: fr, v: v}, ch)
	case *ssa.Alloc, *ssa.Global, *ssa.FieldAddr, *ssa.IndexAddr, *ssa.MakeMap, *ssa.MakeSlice, *ssa.MakeChan:
		y(val{kind: object, v: v, fr: fr, typ: v.Type()}, ch)
	case *ssa.Slice:
		if isString(v.X.Type()) {
			y(val{}, ch)
			return
		}
		y(val{kind: object, v: v, fr: fr, typ: v.Type()}, ch)
	case *ssa.Phi:
		e.phi(v, fr, path, ch, y)
	case *ssa.Parameter:
		e.parameter(v, fr, path, ch, y)
	case *ssa.FreeVar:
		e.freeVar(v, fr, path, ch, y)
	case *ssa.UnOp:
		switch v.Op {
		case token.MUL:
			e.load(v.X, fr, path, v, ch, y)
		case token.ARROW:
			e.receive(v, fr, path, ch, y)
		default:
			y(val{}, ch)
		}
	case *ssa.Field:
		e.eval(v.X, fr, push(fieldStep(v.Field), path), ch, y)
	case *ssa.Index:
		e.element(v.X, v.Index, fr, path, ch, y)
	case *ssa.Lookup:
		e.lookup(v, fr, path, ch, y)
	case *ssa.Extract:
		e.extract(v, fr, path, ch, y)
	case *ssa.Call:
		e.call(v, 0, fr, path, ch, y)
	case *ssa.MakeInterface:
		if e.iface && len(path) == 0 {
			y(val{kind: dynamic, v: v.X, fr: fr, typ: v.X.Type()}, ch)
			return
		}
		e.eval(v.X, fr, path, ch, y)
	case *ssa.ChangeType:
		e.eval(v.X, fr, path, ch, y)
	case *ssa.ChangeInterface:
		e.eval(v.X, fr, path, ch, y)
	case *ssa.TypeAssert:
		if v.CommaOk {
			y(val{}, ch)
			return
		}
		e.eval(v.X, fr, path, ch, y)
	case *ssa.Convert:
		if isString(v.Type()) && isString(v.X.Type()) || isBytes(v.Type()) || isInteger(v.Type()) && isInteger(v.X.Type()) {
			e.eval(v.X, fr, path, ch, y)
			return
		}
		y(val{}, ch)
	case *ssa.BinOp:
		if v.Op == token.ADD && isString(v.Type()) {
			e.strings([]ssa.Value{v.X, v.Y}, fr, ch, func(s []string, ch *choices) {
				y(val{kind: constant_, c: constant.MakeString(s[0] + s[1])}, ch)
			}, y)
			return
		}
		y(val{}, ch)
	default:
		y(val{}, ch)
	}
}

func (e *evaluator) zero(t types.Type, y yield, ch *choices) {
	if b, ok := under(t).(*types.Basic); ok && b.Info()&types.IsString != 0 {
		y(val{kind: constant_, c: constant.MakeString(""), typ: t}, ch)
		return
	}
	y(val{kind: constant_, typ: t}, ch)
}

// strings evaluates several strings at once.
func (e *evaluator) strings(vs []ssa.Value, fr *frame, ch *choices, f func([]string, *choices), y yield) {
	var next func(i int, got []string, ch *choices)
	next = func(i int, got []string, ch *choices) {
		if i == len(vs) {
			f(got, ch)
			return
		}
		e.eval(vs[i], fr, nil, ch, func(x val, ch *choices) {
			s, ok := x.str()
			if !ok && x.kind == constant_ && x.c != nil {
				s, ok = x.c.ExactString(), true
			}
			if !ok {
				y(val{}, ch)
				return
			}
			next(i+1, append(got[:i:i], s), ch)
		})
	}
	next(0, nil, ch)
}

// numeric finds a verb for whole numbers in a format.
var numeric = regexp.MustCompile(`%[0-9+ -]*[dxXob]`)

func (e *evaluator) phi(v *ssa.Phi, fr *frame, path []step, ch *choices, y yield) {
	for _, x := range v.Edges {
		if b, ok := x.(*ssa.BinOp); ok && isInteger(v.Type()) && (b.X == v || b.Y == v) {
			y(val{}, ch) // a counter
			return
		}
	}
	k := edgeOf{fr, v.Block()}
	if i, ok := ch.get(k); ok {
		e.eval(v.Edges[i.(int)], fr, path, ch, y)
		return
	}
	for i, x := range v.Edges {
		if !e.feasible(v.Block().Preds[i], v.Block(), fr, ch) {
			continue
		}
		e.eval(x, fr, path, ch.with(k, i), y)
	}
}

// feasible reports whether block can be reached, and from there to, judging by
// the comparisons with constants on the way.
func (e *evaluator) feasible(b, to *ssa.BasicBlock, fr *frame, ch *choices) bool {
	check := func(from, to *ssa.BasicBlock) bool {
		if len(from.Instrs) == 0 || len(from.Succs) != 2 || from.Succs[0] == from.Succs[1] {
			return true
		}
		br, ok := from.Instrs[len(from.Instrs)-1].(*ssa.If)
		if !ok {
			return true
		}
		cond, ok := br.Cond.(*ssa.BinOp)
		if !ok || cond.Op != token.EQL && cond.Op != token.NEQ {
			return true
		}
		x, c := cond.X, cond.Y
		if _, ok := x.(*ssa.Const); ok {
			x, c = c, x
		}
		want, ok := c.(*ssa.Const)
		if !ok || want.Value == nil || !isParamLike(x) {
			return true
		}
		equal := (cond.Op == token.EQL) == (from.Succs[0] == to)
		n, possible := 0, false
		e.eval(x, fr, nil, ch, func(x val, _ *choices) {
			n++
			if x.kind != constant_ || x.c == nil || x.c.Kind() != want.Value.Kind() ||
				constant.Compare(x.c, token.EQL, want.Value) == equal {
				possible = true
			}
		})
		return n == 0 || possible
	}
	if to != nil && !check(b, to) {
		return false
	}
	for d := b; d != nil; d = d.Idom() {
		if len(d.Preds) == 1 && !check(d.Preds[0], d) {
			return false
		}
	}
	return true
}

// isParamLike reports whether v follows from a parameter alone.
func isParamLike(v ssa.Value) bool {
	switch v := v.(type) {
	case *ssa.Parameter:
		return true
	case *ssa.Convert:
		return isParamLike(v.X)
	case *ssa.ChangeType:
		return isParamLike(v.X)
	}
	return false
}

// parameter climbs to the callers of fr.
func (e *evaluator) parameter(v *ssa.Parameter, fr *frame, path []step, ch *choices, y yield) {
	if v.Parent() != fr.fn {
		y(val{}, ch)
		return
	}
	n := paramIndex(v)
	if fr.caller != nil {
		e.argument(fr.site, n, fr.caller, path, ch, y)
		return
	}
	k := callerOf{fr}
	if c, ok := ch.get(k); ok {
		if c := c.(*callerChoice); c != nil {
			e.argument(c.site, n, c.fr, path, ch, y)
		} else {
			e.outside(v, fr, path, ch, y)
		}
		return
	}
	called := false
	e.callers(fr, ch, func(site ssa.CallInstruction, up *frame, ch *choices) {
		called = true
		e.argument(site, n, up, path, ch.with(k, &callerChoice{site, up, site.Pos()}), y)
	})
	if !called || e.p.byOthers[fr.fn] {
		e.outside(v, fr, path, ch.with(k, (*callerChoice)(nil)), y)
	}
}

// outside is a parameter of a function that code we can't see calls.
func (e *evaluator) outside(v *ssa.Parameter, fr *frame, path []step, ch *choices, y yield) {
	if e.p.bus.isData(v.Type()) {
		y(val{kind: received, fn: fr.fn, fr: fr, v: v}, ch)
		return
	}
	// The body of a range over a library's iterator is a function that the
	// iterator calls.
	if it := e.p.yieldOf[fr.fn]; it != nil {
		up := e.makerFrame(fr, ch, func(up *frame, ch *choices) { e.iterate(it, v, up, path, ch, y) })
		if up {
			return
		}
	}
	y(val{}, ch)
}

func paramIndex(v *ssa.Parameter) int {
	for i, p := range v.Parent().Params {
		if p == v {
			return i
		}
	}
	return -1
}

// argument evaluates what call site passes for parameter n.
func (e *evaluator) argument(site ssa.CallInstruction, n int, fr *frame, path []step, ch *choices, y yield) {
	if arg := argOf(site.Common(), n); arg != nil {
		e.eval(arg, fr, path, ch, y)
		return
	}
	y(val{}, ch)
}

func argOf(c *ssa.CallCommon, n int) ssa.Value {
	if c.IsInvoke() {
		if n == 0 {
			return c.Value
		}
		n--
	}
	if n < 0 || n >= len(c.Args) {
		return nil
	}
	return c.Args[n]
}

// callers yields the calls that may have started fr.
func (e *evaluator) callers(fr *frame, ch *choices, f func(ssa.CallInstruction, *frame, *choices)) {
	fn := fr.fn
	up := func(site ssa.CallInstruction) *frame {
		g := site.Parent()
		if m, ok := ch.get(makerOf{fr}); ok {
			if m := m.(*frame); m.fn == g {
				return m
			}
		}
		if fr.maker != nil && fr.maker.fn == g {
			return fr.maker
		}
		o := e.open(g)
		// The same function again further down: another activation of it.
		if _, ok := ch.get(callerOf{o}); ok {
			o = &frame{fn: g}
		}
		return o
	}
	depth := 0
	for c := ch; c != nil; c = c.next {
		if cc, ok := c.val.(*callerChoice); ok && cc != nil {
			depth++
		}
	}
	if depth > 14 {
		return
	}
	for _, site := range e.p.callsOf[fn] {
		if e.p.reach[site.Parent()] && site.Parent() != fn {
			f(site, up(site), ch)
		}
	}
	if !e.p.addrTaken[fn] && e.p.methodOf[fn] == nil {
		return
	}
	for _, site := range e.p.dynamicCalls(fn.Signature) {
		if !e.p.reach[site.Parent()] || site.Parent() == fn {
			continue
		}
		u := up(site)
		e.eval(site.Common().Value, u, nil, ch, func(x val, ch *choices) {
			if x.kind == function && x.fn == fn {
				if x.fr != nil && fr.maker == nil {
					ch = ch.with(makerOf{fr}, x.fr)
				}
				f(site, u, ch)
			}
		})
	}
	if recv := e.p.methodOf[fn]; recv != nil {
		for _, site := range e.p.invokes[fn.Name()] {
			if !e.p.reach[site.Parent()] || site.Parent() == fn {
				continue
			}
			iface, ok := site.Common().Value.Type().Underlying().(*types.Interface)
			if ok && types.Implements(recv, iface) && e.p.runtime(recv) {
				f(site, up(site), ch)
			}
		}
	}
}

// makerFrame yields the activations that made the closure running in fr.
func (e *evaluator) makerFrame(fr *frame, ch *choices, f func(*frame, *choices)) bool {
	if fr.maker != nil {
		f(fr.maker, ch)
		return true
	}
	k := makerOf{fr}
	if m, ok := ch.get(k); ok {
		f(m.(*frame), ch)
		return true
	}
	found := false
	for _, mc := range e.p.makers[fr.fn] {
		if !e.p.reach[mc.Parent()] {
			continue
		}
		found = true
		up := e.open(mc.Parent())
		if c, ok := ch.get(callerOf{fr}); ok {
			if c := c.(*callerChoice); c != nil && c.fr.fn == mc.Parent() {
				up = c.fr
			}
		}
		f(up, ch.with(k, up))
	}
	return found
}

func (e *evaluator) freeVar(v *ssa.FreeVar, fr *frame, path []step, ch *choices, y yield) {
	fn := v.Parent()
	if fn != fr.fn {
		y(val{}, ch)
		return
	}
	n := -1
	for i, f := range fn.FreeVars {
		if f == v {
			n = i
		}
	}
	ok := e.makerFrame(fr, ch, func(up *frame, ch *choices) {
		done := false
		for _, mc := range e.p.makers[fn] {
			if mc.Parent() == up.fn && n < len(mc.Bindings) {
				done = true
				e.eval(mc.Bindings[n], up, path, ch, y)
			}
		}
		if !done {
			y(val{}, ch)
		}
	})
	if !ok {
		y(val{}, ch)
	}
}

func (e *evaluator) extract(v *ssa.Extract, fr *frame, path []step, ch *choices, y yield) {
	switch t := v.Tuple.(type) {
	case *ssa.Call:
		e.call(t, v.Index, fr, path, ch, y)
	case *ssa.Lookup:
		if v.Index == 0 {
			e.lookup(t, fr, path, ch, y)
			return
		}
		y(val{}, ch)
	case *ssa.TypeAssert:
		if v.Index == 0 {
			e.eval(t.X, fr, path, ch, y)
			return
		}
		y(val{}, ch)
	case *ssa.UnOp:
		if t.Op == token.ARROW && v.Index == 0 {
			e.receive(t, fr, path, ch, y)
			return
		}
		y(val{}, ch)
	case *ssa.Next:
		r, ok := t.Iter.(*ssa.Range)
		if !ok || t.IsString || v.Index == 0 {
			y(val{}, ch)
			return
		}
		e.entries(r.X, fr, ch, func(list []entry, ch *choices) {
			e.choose(indexOf{fr, t}, list, ch, func(en entry, ch *choices) {
				if v.Index == 1 {
					e.eval(en.key, en.fr, path, ch, y)
				} else {
					e.eval(en.v, en.fr, path, ch, y)
				}
			})
		}, y)
	default:
		y(val{}, ch)
	}
}

// call evaluates result n of a call.
func (e *evaluator) call(c *ssa.Call, n int, fr *frame, path []step, ch *choices, y yield) {
	if e.intrinsic(c, n, fr, path, ch, y) {
		return
	}
	e.callees(c, fr, ch, func(fn *ssa.Function, maker *frame, ch *choices) {
		if fn == nil {
			y(val{}, ch)
			return
		}
		e.p.need(fn)
		if fn.Blocks == nil || e.p.bus.owns(fn) {
			y(val{}, ch)
			return
		}
		in := e.closed(fn, fr, c, maker)
		if in == nil {
			y(val{}, ch)
			return
		}
		var rets []*ssa.Return
		for _, b := range fn.Blocks {
			if len(b.Instrs) > 0 {
				if r, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return); ok && n < len(r.Results) {
					rets = append(rets, r)
				}
			}
		}
		k := returnOf{in}
		if i, ok := ch.get(k); ok {
			e.eval(rets[i.(int)].Results[n], in, path, ch, y)
			return
		}
		for i, r := range rets {
			if e.failed(r) && len(rets) > 1 && !isErrorType(r.Results[n].Type()) {
				continue // beside an error there is no value to speak of
			}
			if e.feasible(r.Block(), nil, in, ch) {
				e.eval(r.Results[n], in, path, ch.with(k, i), y)
			}
		}
	})
}

// failed reports whether r returns an error that isn't nil for sure.
func (e *evaluator) failed(r *ssa.Return) bool {
	if len(r.Results) < 2 {
		return false
	}
	last := r.Results[len(r.Results)-1]
	if !isErrorType(last.Type()) {
		return false
	}
	c, ok := r.Results[0].(*ssa.Const)
	if ok && c.Value == nil {
		return !isNil(last)
	}
	if u, ok := r.Results[0].(*ssa.UnOp); ok { // Data{}, err
		if a, ok := u.X.(*ssa.Alloc); ok && len(*a.Referrers()) == 1 {
			return !isNil(last)
		}
	}
	return false
}

// callees yields the functions that c may call; nil for one unknown.
func (e *evaluator) callees(c ssa.CallInstruction, fr *frame, ch *choices, f func(fn *ssa.Function, maker *frame, ch *choices)) {
	common := c.Common()
	if common.IsInvoke() {
		e.eval(common.Value, fr, nil, ch, func(x val, ch *choices) {
			if x.typ != nil && !types.IsInterface(x.typ) {
				if m := e.p.method(x.typ, common.Method); m != nil {
					f(m, nil, ch)
					return
				}
			}
			ms := e.p.implementers(common)
			if len(ms) == 1 {
				f(ms[0], nil, ch)
				return
			}
			f(nil, nil, ch)
		})
		return
	}
	if fn := common.StaticCallee(); fn != nil {
		var maker *frame
		if _, ok := common.Value.(*ssa.MakeClosure); ok {
			maker = fr
		}
		f(fn, maker, ch)
		return
	}
	if _, ok := common.Value.(*ssa.Builtin); ok {
		f(nil, nil, ch)
		return
	}
	e.eval(common.Value, fr, nil, ch, func(x val, ch *choices) {
		if x.kind == function {
			f(x.fn, x.fr, ch)
			return
		}
		f(nil, nil, ch)
	})
}

// intrinsic evaluates the calls whose meaning is known without their source.
func (e *evaluator) intrinsic(c *ssa.Call, n int, fr *frame, path []step, ch *choices, y yield) bool {
	if b, ok := c.Call.Value.(*ssa.Builtin); ok {
		switch b.Name() {
		case "append":
			y(val{kind: object, v: c, fr: fr, typ: c.Type()}, ch)
		case "min", "max":
			y(val{}, ch)
		default:
			y(val{}, ch)
		}
		return true
	}
	fn := c.Call.StaticCallee()
	if fn == nil {
		return false
	}
	args := c.Call.Args
	if op := e.p.bus.op(fn); op != opNone {
		switch {
		case (op == opNewData || op == opMustData) && n == 0 && len(path) == 1 && path[0].field >= 0 && path[0].field < 3:
			e.eval(args[path[0].field], fr, nil, ch, y)
		case (op == opNew || op == opMust) && n == 0 && len(path) == 1 && path[0].field < 2:
			e.eval(args[0], fr, path, ch, y)
		case (op == opNew || op == opMust) && n == 0 && len(path) == 1:
			e.eval(args[1], fr, nil, ch, y)
		default:
			y(val{kind: object, v: c, fr: fr, typ: c.Type()}, ch)
		}
		return true
	}
	name := fullName(fn)
	if name == "encoding/json.Marshal" && n == 0 {
		y(val{kind: object, v: c, fr: fr, typ: c.Type()}, ch)
		return true
	}
	str := func(f func(s []string) string) bool {
		e.strings(args, fr, ch, func(s []string, ch *choices) {
			y(val{kind: constant_, c: constant.MakeString(f(s))}, ch)
		}, y)
		return true
	}
	switch name {
	case "strings.ToLower":
		return str(func(s []string) string { return strings.ToLower(s[0]) })
	case "strings.ToUpper":
		return str(func(s []string) string { return strings.ToUpper(s[0]) })
	case "strings.TrimSpace":
		return str(func(s []string) string { return strings.TrimSpace(s[0]) })
	case "strings.TrimPrefix":
		return str(func(s []string) string { return strings.TrimPrefix(s[0], s[1]) })
	case "strings.TrimSuffix":
		return str(func(s []string) string { return strings.TrimSuffix(s[0], s[1]) })
	case "strings.ReplaceAll":
		return str(func(s []string) string { return strings.ReplaceAll(s[0], s[1], s[2]) })
	case "strings.Clone", "strconv.Itoa":
		return str(func(s []string) string { return s[0] })
	case "strings.Join":
		e.all(args[0], fr, ch, func(parts []string, ch *choices) {
			e.strings(args[1:], fr, ch, func(sep []string, ch *choices) {
				y(val{kind: constant_, c: constant.MakeString(strings.Join(parts, sep[0]))}, ch)
			}, y)
		}, y)
		return true
	case "strings.Cut":
		if n > 1 {
			return false
		}
		return str(func(s []string) string {
			before, after, _ := strings.Cut(s[0], s[1])
			return [2]string{before, after}[n]
		})
	case "fmt.Sprintf":
		e.eval(args[0], fr, nil, ch, func(f val, ch *choices) {
			format, ok := f.str()
			if !ok {
				y(val{}, ch)
				return
			}
			e.all(args[1], fr, ch, func(parts []string, ch *choices) {
				as := make([]any, len(parts))
				for i, p := range parts {
					as[i] = p
					if n, err := strconv.ParseInt(p, 10, 64); err == nil && numeric.MatchString(format) {
						as[i] = n
					}
				}
				text := fmt.Sprintf(format, as...)
				if strings.Contains(text, "%!") {
					y(val{}, ch)
					return
				}
				y(val{kind: constant_, c: constant.MakeString(text)}, ch)
			}, y)
		})
		return true
	case "fmt.Sprint":
		e.all(args[0], fr, ch, func(parts []string, ch *choices) {
			y(val{kind: constant_, c: constant.MakeString(strings.Join(parts, ""))}, ch)
		}, y)
		return true
	case "slices.Values", "slices.Sorted", "slices.Collect", "slices.Clone", "slices.Concat", "slices.All", "maps.Keys", "maps.Values", "maps.All", "maps.Clone":
		y(val{kind: object, v: c, fr: fr, typ: c.Type()}, ch)
		return true
	case "cmp.Or":
		e.elements(args[0], fr, ch, func(list []entry, ch *choices) {
			var next func(i int, ch *choices)
			next = func(i int, ch *choices) {
				if i == len(list) {
					e.zero(c.Type(), y, ch)
					return
				}
				e.content(list[i], path, ch, func(x val, ch *choices) {
					if s, ok := x.str(); ok && s == "" {
						next(i+1, ch)
						return
					}
					y(x, ch)
				})
			}
			next(0, ch)
		}, y)
		return true
	}
	return false
}

// all evaluates every element of a slice of strings (or of values that print
// as such).
func (e *evaluator) all(slice ssa.Value, fr *frame, ch *choices, f func([]string, *choices), y yield) {
	e.elements(slice, fr, ch, func(list []entry, ch *choices) {
		var next func(i int, got []string, ch *choices)
		next = func(i int, got []string, ch *choices) {
			if i == len(list) {
				f(got, ch)
				return
			}
			e.content(list[i], nil, ch, func(x val, ch *choices) {
				s, ok := x.str()
				if !ok && x.kind == constant_ && x.c != nil {
					s, ok = x.c.ExactString(), true
				}
				if !ok {
					y(val{}, ch)
					return
				}
				next(i+1, append(got[:i:i], s), ch)
			})
		}
		next(0, nil, ch)
	}, y)
}

// receive takes from a channel what is sent on channels of the same type.
func (e *evaluator) receive(v *ssa.UnOp, fr *frame, path []step, ch *choices, y yield) {
	t := v.X.Type().Underlying().(*types.Chan)
	found := false
	for _, s := range e.p.sends {
		if st, ok := s.ch.Type().Underlying().(*types.Chan); ok && types.Identical(st.Elem(), t.Elem()) && e.p.reach[s.fn] {
			found = true
			e.eval(s.v, e.open(s.fn), path, ch, y)
		}
	}
	if !found {
		y(val{}, ch)
	}
}
