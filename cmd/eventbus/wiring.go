package main

import (
	"cmp"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

const wild = "*"

// name is what an event or a registration is called; a part that is not known
// before run time is empty.
type name struct{ domain, action string }

func (n name) String() string {
	return cmp.Or(n.domain, "?") + "/" + cmp.Or(n.action, "?")
}

func (n name) known() bool { return n.domain != "" && n.action != "" }

// covers reports whether a registration for n is called for event e, or may be.
func (n name) covers(e name) bool {
	return (n.domain == e.domain || n.domain == wild || n.domain == "" || e.domain == "") &&
		(n.action == e.action || n.action == wild || n.action == "" || e.action == "")
}

// site is a call of the bus, under the choices that led to one answer: the same
// call in a helper is a site for each of its callers.
type site struct {
	name
	instr    ssa.Instruction
	fn       *ssa.Function // that instr is in
	place    token.Pos     // where the name is decided
	ch       *choices
	received *ssa.Function // the handler whose own event it is
}

// made is an event made: by NewData, MustData, Event.New, Event.Must or a Data{}.
type made struct {
	site
	payloads []payload
	unknown  bool // there may be other payloads
}

// payload is what an event carries: a type, no type where there is no payload,
// or a text of JSON.
type payload struct {
	typ  types.Type
	none bool
	json string
	keys *mapLiteral
}

// dispatch is an event handed to a bus.
type dispatch struct {
	site
	via  string // Call, Publish, or the function of a package beside the bus
	data ssa.Value
	bus  ssa.Value
}

// registration is a handler put on a bus.
type registration struct {
	site
	fn      val // the handler; unknown where that isn't known
	handler string
	at      token.Pos  // of the handler's source
	typ     types.Type // what On or Event.On decodes to
	mw      ssa.Value
	bus     ssa.Value
	result  ssa.Value // of the call: unregister
}

// decode is a place where params are read.
type decode struct {
	site
	typ types.Type
	own name // the name that Event.Decode insists on
}

type wiring struct {
	made          []*made
	dispatches    []*dispatch
	registrations []*registration
	decodes       []*decode
}

// wire finds all uses of the bus in the program.
func (p *program) wire() *wiring {
	w := &wiring{}
	funcs := slices.Clone(p.funcs)
	slices.SortStableFunc(funcs, func(a, b *ssa.Function) int { return cmp.Compare(a.Pos(), b.Pos()) })
	for _, fn := range funcs {
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				if c, ok := instr.(ssa.CallInstruction); ok {
					p.wireCall(w, c)
				}
			}
		}
		p.literals(w, fn)
	}
	dedup(w)
	p.inOrder(w)
	return w
}

// inOrder sorts the registrations as the program makes them, following its calls
// from the start.
func (p *program) inOrder(w *wiring) {
	at := map[ssa.Instruction][]*registration{}
	leads := map[*ssa.Function]bool{}
	var up func(fn *ssa.Function)
	up = func(fn *ssa.Function) {
		if fn == nil || leads[fn] {
			return
		}
		leads[fn] = true
		for _, c := range p.callsOf[fn] {
			up(c.Parent())
		}
		for _, mc := range p.makers[fn] {
			up(mc.Parent())
		}
		if p.methodOf[fn] != nil {
			for _, c := range p.invokes[fn.Name()] {
				up(c.Parent())
			}
		}
		if p.addrTaken[fn] {
			for _, c := range p.dynamicCalls(fn.Signature) {
				up(c.Parent())
			}
		}
	}
	for _, r := range w.registrations {
		at[r.instr] = append(at[r.instr], r)
		up(r.site.fn)
	}
	order := map[*registration]int{}
	steps := 0
	var walk func(r *reached, stack []ssa.Instruction)
	walk = func(r *reached, stack []ssa.Instruction) {
		if steps++; steps > 20_000 || len(stack) > 30 || !leads[r.fn] || r.fr == nil {
			return
		}
		for _, b := range r.fn.DomPreorder() {
			for _, instr := range b.Instrs {
				c, ok := instr.(ssa.CallInstruction)
				if !ok {
					continue
				}
				for _, reg := range at[instr] {
					if _, done := order[reg]; !done && reg.calledThrough(p, stack) {
						order[reg] = len(order)
					}
				}
				p.step(r, c, func(fn *ssa.Function, fr *frame, _ bool) {
					if leads[fn] && !slices.Contains(stack, instr) {
						walk(&reached{fn: fn, fr: fr}, append(slices.Clip(stack), instr))
					}
				})
			}
		}
	}
	for _, fn := range p.starts {
		walk(&reached{fn: fn, fr: p.eval.open(fn)}, nil)
	}
	slices.SortStableFunc(w.registrations, func(a, b *registration) int {
		i, ok := order[a]
		if !ok {
			i = len(order)
		}
		j, ok := order[b]
		if !ok {
			j = len(order)
		}
		return cmp.Compare(i, j)
	})
}

// calledThrough reports whether the callers that r rests on are on the stack.
func (r *registration) calledThrough(p *program, stack []ssa.Instruction) bool {
	fr := p.eval.open(r.site.fn)
	for {
		c, ok := r.ch.get(callerOf{fr})
		cc, _ := c.(*callerChoice)
		if !ok || cc == nil {
			return true
		}
		if len(stack) > 0 && !slices.Contains(stack, ssa.Instruction(cc.site)) {
			return false
		}
		fr = cc.fr
	}
}

func (p *program) wireCall(w *wiring, c ssa.CallInstruction) {
	if p.bus.answers(c.Parent()) {
		return // its callers are the ones who register
	}
	common := c.Common()
	o := opNone
	args := common.Args
	var recv ssa.Value
	callee := common.StaticCallee()
	switch {
	case common.IsInvoke():
		o, recv = p.bus.invoked(common), common.Value
	case callee != nil:
		o = p.bus.op(callee)
		switch o {
		case opRegister, opHandle, opCall, opPublish:
			recv, args = args[0], args[1:]
		case opOn:
			recv = args[0]
		case opEventOn:
			recv = args[1]
		}
	}
	switch o {
	case opNone:
		if callee != nil {
			p.wireOther(w, c, callee)
		}
	case opRegister:
		if len(args) >= 3 {
			p.register(w, c, args[0], args[1], nil, args[2], args[3:], recv, nil)
		}
	case opHandle:
		if len(args) >= 2 {
			p.register(w, c, nil, nil, args[0], args[1], args[2:], recv, nil)
		}
	case opOn:
		if t := typeArg(callee); len(args) >= 4 {
			p.register(w, c, args[1], args[2], nil, args[3], args[4:], recv, t)
		}
	case opEventOn:
		if t := recvTypeArg(callee); len(args) >= 3 {
			p.register(w, c, nil, nil, args[0], args[2], args[3:], recv, t)
		}
	case opCall, opPublish:
		if len(args) == 2 {
			via := "Call"
			if o == opPublish {
				via = "Publish"
			}
			p.dispatch(w, c, args[1], recv, via)
		}
	case opNewData, opMustData:
		p.make(w, c, args[0], args[1], nil, func(ch *choices) ([]payload, bool) { return p.payloads(args[2], p.eval.open(c.Parent()), ch) })
	case opNew, opMust:
		t := recvTypeArg(callee)
		p.make(w, c, nil, nil, args[0], func(*choices) ([]payload, bool) { return []payload{{typ: t}}, t == nil })
	case opDecode:
		p.decode(w, c, args[0], typeArg(callee), nil)
	case opEventDecode:
		p.decode(w, c, args[1], recvTypeArg(callee), args[0])
	}
}

// wireOther looks at calls of other packages that mean something here: decoders
// of JSON, and packages beside the bus that take an event to dispatch it.
func (p *program) wireOther(w *wiring, c ssa.CallInstruction, fn *ssa.Function) {
	args := c.Common().Args
	switch obj := declared(fn); {
	case obj == nil || obj.Pkg() == nil:
	case p.bus.beside(fn):
		p.wireBeside(w, c, fn)
	case fullName(fn) == "encoding/json.Unmarshal":
		if mi, ok := args[1].(*ssa.MakeInterface); ok {
			if ptr, ok := mi.X.Type().Underlying().(*types.Pointer); ok {
				p.decodeRaw(w, c, args[0], ptr.Elem())
			}
		}
	case obj.Pkg().Path() == "encoding/json" && obj.Name() == "Decode" && len(args) == 2:
		mi, ok := args[1].(*ssa.MakeInterface)
		if !ok {
			return
		}
		ptr, ok := mi.X.Type().Underlying().(*types.Pointer)
		if !ok {
			return
		}
		if raw := readerOf(args[0]); raw != nil {
			p.decodeRaw(w, c, raw, ptr.Elem())
		}
	}
}

// wireBeside looks at calls of the packages beside the bus. What they do with an
// event within is their own affair.
func (p *program) wireBeside(w *wiring, c ssa.CallInstruction, fn *ssa.Function) {
	if p.bus.beside(c.Parent()) {
		return
	}
	args := c.Common().Args
	if p.bus.answers(fn) {
		p.register(w, c, args[1], args[2], nil, args[3], args[4:], args[0], typeArg(fn))
		return
	}
	var bus ssa.Value
	for _, a := range args {
		if p.bus.isType(a.Type(), "Bus") {
			bus = a
		}
	}
	for _, a := range args {
		if p.bus.isData(a.Type()) {
			p.dispatch(w, c, a, bus, funcName(fn))
		}
	}
}

// readerOf returns the bytes that a json.Decoder reads.
func readerOf(dec ssa.Value) ssa.Value {
	c, ok := dec.(*ssa.Call)
	if !ok || fullName(c.Call.StaticCallee()) != "encoding/json.NewDecoder" {
		return nil
	}
	mi, ok := c.Call.Args[0].(*ssa.MakeInterface)
	if !ok {
		return nil
	}
	r, ok := mi.X.(*ssa.Call)
	if !ok {
		return nil
	}
	switch fullName(r.Call.StaticCallee()) {
	case "bytes.NewReader", "bytes.NewBuffer":
		return r.Call.Args[0]
	}
	return nil
}

func typeArg(fn *ssa.Function) types.Type {
	if fn != nil && len(fn.TypeArgs()) > 0 {
		return fn.TypeArgs()[0]
	}
	return nil
}

func recvTypeArg(fn *ssa.Function) types.Type {
	if fn == nil || fn.Signature.Recv() == nil {
		return typeArg(fn)
	}
	if n := namedOf(fn.Signature.Recv().Type()); n != nil && n.TypeArgs().Len() > 0 {
		return n.TypeArgs().At(0)
	}
	return typeArg(fn)
}

// names evaluates a domain and an action, given as two values or as two fields
// of one, and calls f for each answer.
func (p *program) names(at ssa.Instruction, domain, action, both ssa.Value, path []step, f func(site)) {
	fr := p.eval.open(at.Parent())
	ask := func(v ssa.Value, field int, ch *choices, y yield) {
		if both != nil {
			p.eval.eval(both, fr, append(slices.Clone(path), fieldStep(field)), ch, y)
			return
		}
		p.eval.eval(v, fr, nil, ch, y)
	}
	ok := p.eval.ask(func() {
		ask(action, 1, nil, func(a val, ch *choices) {
			decided := ch
			ask(domain, 0, ch, func(d val, ch *choices) {
				s := site{instr: at, fn: at.Parent(), ch: ch}
				s.domain, _ = d.str()
				s.action, _ = a.str()
				if d.kind == constant_ && s.domain == "" || a.kind == constant_ && s.action == "" {
					return // no event: a Data{} beside an error
				}
				if d.kind == received {
					s.received = d.fn
				} else if a.kind == received {
					s.received = a.fn
				}
				s.place = p.placeOf(at, cmp.Or(action, both), decided, fr)
				if _, ok := stripped(action).(*ssa.Const); ok && s.place == at.Pos() {
					if _, ok := stripped(domain).(*ssa.Parameter); ok {
						s.place = p.placeOf(at, domain, ch, fr)
					}
				}
				f(s)
			})
		})
	})
	if !ok {
		f(site{instr: at, fn: at.Parent(), place: at.Pos()})
	}
}

func stripped(v ssa.Value) ssa.Value {
	for {
		switch x := v.(type) {
		case *ssa.Convert:
			v = x.X
		case *ssa.ChangeType:
			v = x.X
		case *ssa.MakeInterface:
			v = x.X
		default:
			return v
		}
	}
}

// placeOf returns where a name is decided: at the call itself, at the call of a
// helper that is given the name, or in the row of a table.
func (p *program) placeOf(at ssa.Instruction, v ssa.Value, ch *choices, fr *frame) token.Pos {
	pos := at.Pos()
	for {
		c, ok := ch.get(callerOf{fr})
		cc, _ := c.(*callerChoice)
		if !ok || cc == nil {
			break
		}
		if cc.place.IsValid() {
			pos = cc.place
		}
		v = stripped(v)
		param, isParam := v.(*ssa.Parameter)
		fn := fr.fn
		fr = cc.fr
		if isParam {
			v = argOf(cc.site.Common(), paramIndex(param))
			continue
		}
		if !isWrapper(fn) {
			break
		}
	}
	for c := ch; c != nil; c = c.next {
		if r, ok := c.key.(row); ok && r.pos.IsValid() {
			return r.pos
		}
	}
	return pos
}

func (p *program) make(w *wiring, at ssa.Instruction, domain, action, both ssa.Value, payload func(*choices) ([]payload, bool)) {
	p.names(at, domain, action, both, nil, func(s site) {
		m := &made{site: s}
		steps := p.eval.steps
		m.payloads, m.unknown = payload(s.ch)
		p.eval.steps = steps
		w.made = append(w.made, m)
	})
}

// payloads evaluates what is encoded as params.
func (p *program) payloads(v ssa.Value, fr *frame, ch *choices) (out []payload, unsure bool) {
	e := p.eval
	saved, stack := e.iface, e.stack
	e.iface, e.stack, e.steps = true, nil, maxSteps
	defer func() { e.iface, e.stack = saved, stack }()
	e.eval(v, fr, nil, ch, func(x val, ch *choices) {
		switch {
		case x.kind == dynamic:
			pl := payload{typ: x.typ}
			e.iface = false
			pl.keys = p.mapKeys(x.v, x.fr, ch)
			e.iface = true
			out = append(out, pl)
		case x.kind == constant_ && x.c == nil:
			out = append(out, payload{none: true})
		case x.kind == constant_ && x.typ != nil && !types.IsInterface(x.typ):
			out = append(out, payload{typ: x.typ})
		default:
			unsure = true
		}
	})
	return out, unsure
}

// rawPayloads evaluates params given as bytes.
func (p *program) rawPayloads(v ssa.Value, fr *frame, ch *choices) (out []payload, unsure bool) {
	e := p.eval
	stack := e.stack
	e.stack, e.steps = nil, maxSteps
	defer func() { e.stack = stack }()
	e.eval(v, fr, nil, ch, func(x val, ch *choices) {
		if s, ok := x.str(); ok {
			out = append(out, payload{json: s})
			return
		}
		switch c, _ := x.v.(*ssa.Call); {
		case x.kind == constant_ && x.c == nil:
			out = append(out, payload{none: true})
		case x.kind == object && c != nil && fullName(c.Call.StaticCallee()) == "encoding/json.Marshal":
			ps, u := p.payloads(c.Call.Args[0], x.fr, ch)
			out, unsure = append(out, ps...), unsure || u
		default:
			unsure = true
		}
	})
	return out, unsure
}

// mapLiteral is a map with constant keys, such as map[string]any{"id": id}.
type mapLiteral struct {
	keys  []string
	types []types.Type
}

func (p *program) mapKeys(v ssa.Value, fr *frame, ch *choices) *mapLiteral {
	if m, ok := under(v.Type()).(*types.Map); !ok || !isString(m.Key()) {
		return nil
	}
	var lit *mapLiteral
	n := 0
	p.eval.entries(v, fr, ch, func(list []entry, ch *choices) {
		n++
		lit = &mapLiteral{}
		for _, en := range list {
			key, ok := "", false
			p.eval.eval(en.key, en.fr, nil, ch, func(x val, _ *choices) { key, ok = x.str() })
			if !ok {
				n = 2
				return
			}
			t := en.v.Type()
			if mi, ok := en.v.(*ssa.MakeInterface); ok {
				t = mi.X.Type()
			}
			lit.keys, lit.types = append(lit.keys, key), append(lit.types, t)
		}
		if o, ok := stripped(v).(*ssa.MakeMap); !ok || escapesMap(o) {
			n = 2
		}
	}, func(val, *choices) { n = 2 })
	if n != 1 {
		return nil
	}
	return lit
}

// escapesMap reports whether somebody else may add to m.
func escapesMap(m *ssa.MakeMap) bool {
	for _, r := range *m.Referrers() {
		switch r := r.(type) {
		case *ssa.MapUpdate, *ssa.MakeInterface, *ssa.DebugRef, *ssa.Lookup, *ssa.ChangeType:
		case *ssa.Call:
			if _, ok := r.Call.Value.(*ssa.Builtin); !ok {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func (p *program) register(w *wiring, c ssa.CallInstruction, domain, action, both, handler ssa.Value, mw []ssa.Value, bus ssa.Value, typ types.Type) {
	fr := p.eval.open(c.Parent())
	p.names(c, domain, action, both, nil, func(s site) {
		found := false
		steps := p.eval.steps
		p.eval.eval(handler, fr, nil, s.ch, func(x val, ch *choices) {
			found = true
			r := &registration{site: s, fn: x, typ: typ, bus: bus}
			r.ch = ch
			if len(mw) > 0 {
				r.mw = mw[0]
			}
			if v, ok := c.(ssa.Value); ok {
				r.result = v
			}
			r.handler, r.at = p.handlerName(x)
			w.registrations = append(w.registrations, r)
		})
		p.eval.steps = steps
		if !found {
			r := &registration{site: s, typ: typ, bus: bus, handler: "?"}
			w.registrations = append(w.registrations, r)
		}
	})
}

// handlerName names a function as people write it.
func (p *program) handlerName(x val) (string, token.Pos) {
	if x.kind != function {
		return "?", token.NoPos
	}
	return funcName(x.fn), x.fn.Pos()
}

func funcName(fn *ssa.Function) string {
	if fn.Parent() != nil {
		i := slices.Index(fn.Parent().AnonFuncs, fn)
		return funcName(fn.Parent()) + ".func" + itoa(i+1)
	}
	obj := declared(fn)
	if obj == nil {
		return fn.Name()
	}
	pkg := ""
	if obj.Pkg() != nil {
		pkg = obj.Pkg().Path()
		pkg = pkg[strings.LastIndexByte(pkg, '/')+1:] + "."
	}
	recv := obj.Signature().Recv()
	if recv == nil {
		return pkg + obj.Name()
	}
	t := types.TypeString(recv.Type(), func(*types.Package) string { return "" })
	if i := strings.IndexByte(t, '['); i > 0 {
		t = t[:i]
	}
	if strings.HasPrefix(t, "*") {
		t = "(" + t + ")"
	}
	return pkg + t + "." + obj.Name()
}

func itoa(i int) string { return constant.MakeInt64(int64(i)).String() }

func (p *program) dispatch(w *wiring, c ssa.CallInstruction, data, bus ssa.Value, via string) {
	p.names(c, nil, nil, data, nil, func(s site) {
		w.dispatches = append(w.dispatches, &dispatch{site: s, via: via, data: data, bus: bus})
	})
}

func (p *program) decode(w *wiring, c ssa.CallInstruction, data ssa.Value, typ types.Type, event ssa.Value) {
	if typ == nil {
		return
	}
	fr := p.eval.open(c.Parent())
	p.eval.ask(func() {
		p.eval.eval(data, fr, []step{fieldStep(2)}, nil, func(x val, ch *choices) {
			if x.kind != received {
				return
			}
			d := &decode{site: site{instr: c, fn: c.Parent(), place: c.Pos(), ch: ch, received: x.fn}, typ: typ}
			if event == nil {
				w.decodes = append(w.decodes, d)
				return
			}
			p.eval.eval(event, fr, []step{fieldStep(0)}, ch, func(dom val, ch *choices) {
				p.eval.eval(event, fr, []step{fieldStep(1)}, ch, func(act val, ch *choices) {
					d := *d
					d.own.domain, _ = dom.str()
					d.own.action, _ = act.str()
					w.decodes = append(w.decodes, &d)
				})
			})
		})
	})
}

func (p *program) decodeRaw(w *wiring, c ssa.CallInstruction, raw ssa.Value, typ types.Type) {
	p.eval.ask(func() {
		p.eval.eval(raw, p.eval.open(c.Parent()), nil, nil, func(x val, ch *choices) {
			if x.kind == received {
				w.decodes = append(w.decodes, &decode{site: site{instr: c, fn: c.Parent(), place: c.Pos(), ch: ch, received: x.fn}, typ: typ})
			}
		})
	})
}

// literals finds the events written as Data{…}, or field by field.
func (p *program) literals(w *wiring, fn *ssa.Function) {
	type parts struct{ stores [3][]*ssa.Store }
	found := map[ssa.Value]*parts{}
	var order []ssa.Value
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			st, ok := instr.(*ssa.Store)
			if !ok {
				continue
			}
			fa, ok := st.Addr.(*ssa.FieldAddr)
			if !ok || !p.bus.isData(deref(fa.X.Type())) || fa.Field > 2 {
				continue
			}
			if found[fa.X] == nil {
				found[fa.X] = &parts{}
				order = append(order, fa.X)
			}
			pt := found[fa.X]
			pt.stores[fa.Field] = append(pt.stores[fa.Field], st)
		}
	}
	for _, base := range order {
		pt := found[base]
		n := max(len(pt.stores[0]), len(pt.stores[1]))
		if n == 0 {
			continue // params alone: a middleware that replaces them
		}
		for i := range n {
			var vals [3]ssa.Value
			var at ssa.Instruction
			for f := range vals {
				if ss := pt.stores[f]; len(ss) > 0 {
					st := ss[min(i, len(ss)-1)]
					vals[f] = st.Val
					if f < 2 && (at == nil || f == 1) {
						at = st
					}
				}
			}
			p.literal(w, fn, base, vals, at)
		}
	}
}

func (p *program) literal(w *wiring, fn *ssa.Function, base ssa.Value, vals [3]ssa.Value, at ssa.Instruction) {
	payload := func(ch *choices) ([]payload, bool) {
		if vals[2] == nil {
			if _, ok := base.(*ssa.Alloc); ok {
				return []payload{{none: true}}, false
			}
			return nil, true
		}
		return p.rawPayloads(vals[2], p.eval.open(fn), ch)
	}
	if vals[0] != nil && vals[1] != nil {
		n := len(w.made)
		p.make(w, at, vals[0], vals[1], nil, payload)
		for _, m := range w.made[n:] {
			if m.place == at.Pos() {
				if a, ok := base.(*ssa.Alloc); ok && a.Pos().IsValid() && len(*a.Referrers()) < 8 {
					m.place = a.Pos()
				}
			}
			if !m.place.IsValid() {
				m.place = base.Pos()
			}
		}
		return
	}
	// One name is given; the other is what the variable holds already.
	fr := p.eval.open(fn)
	known, field := vals[0], 1
	if known == nil {
		known, field = vals[1], 0
	}
	p.eval.ask(func() {
		p.eval.eval(known, fr, nil, nil, func(x val, ch *choices) {
			s, ok := x.str()
			if !ok || s == "" {
				return
			}
			p.eval.load(base, fr, []step{fieldStep(field)}, at, ch, func(o val, ch *choices) {
				m := &made{site: site{instr: at, fn: fn, place: at.Pos(), ch: ch}, unknown: true}
				other, ok := o.str()
				if ok && other == "" {
					return
				}
				if m.domain, m.action = s, other; field == 0 {
					m.domain, m.action = other, s
				}
				w.made = append(w.made, m)
			})
		})
	})
}

// dedup drops answers that say the same, and puts all in the order of the
// source.
func dedup(w *wiring) {
	var ms []*made
	type key struct {
		name
		instr ssa.Instruction
		place token.Pos
		fn    any
	}
	seen := map[key]*made{}
	for _, m := range w.made {
		k := key{m.name, m.instr, m.place, m.received}
		if old := seen[k]; old != nil {
			old.payloads = append(old.payloads, m.payloads...)
			old.unknown = old.unknown || m.unknown
			continue
		}
		seen[k] = m
		ms = append(ms, m)
	}
	for _, m := range ms {
		var ps []payload
		for _, a := range m.payloads {
			if !slices.ContainsFunc(ps, func(b payload) bool {
				return a.none == b.none && a.json == b.json && (a.keys == nil) == (b.keys == nil) &&
					(a.typ == b.typ || a.typ != nil && b.typ != nil && types.Identical(a.typ, b.typ)) && a.keys == nil
			}) {
				ps = append(ps, a)
			}
		}
		m.payloads = ps
	}
	w.made = ms
	seenReg := map[key]bool{}
	w.registrations = slices.DeleteFunc(w.registrations, func(r *registration) bool {
		k := key{r.name, r.instr, r.place, [2]any{r.fn.fn, r.fn.fr}}
		defer func() { seenReg[k] = true }()
		return seenReg[k]
	})
}
