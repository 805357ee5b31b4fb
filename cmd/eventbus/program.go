package main

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

// program is one main with all it reaches, or the packages named where there is
// no main.
type program struct {
	src  *source
	bus  *bus
	name string // import path of the main package, or nothing
	pkgs []*packages.Package

	reach       map[*ssa.Function]bool
	funcs       []*ssa.Function // reached, in the order of discovery
	addrTaken   map[*ssa.Function]bool
	byOthers    map[*ssa.Function]bool                  // code that we can't see may call it
	methodOf    map[*ssa.Function]types.Type            // the type whose method it is, once that type is put into an interface
	callsOf     map[*ssa.Function][]ssa.CallInstruction // static calls
	makers      map[*ssa.Function][]*ssa.MakeClosure
	yieldOf     map[*ssa.Function]*ssa.Call
	invokes     map[string][]ssa.CallInstruction
	dyn         []ssa.CallInstruction
	dynBySig    map[string][]ssa.CallInstruction
	fieldStores map[fieldKey][]*ssa.Store
	mapUpdates  []*ssa.MapUpdate
	sends       []send
	globals     map[*ssa.Global][]ssa.Instruction
	scanned     map[*ssa.Package]bool
	memories    map[ssa.Value]*memory
	filters     map[*ssa.Function]map[*ssa.BasicBlock]filter

	types   []types.Type // put into interfaces
	typeSet map[string][]types.Type
	ifaces  []ifaceCall
	todo    []*ssa.Function
	starts  []*ssa.Function // main, or all of a library

	eval *evaluator
}

type fieldKey struct {
	named *types.TypeName
	field int
}

type send struct {
	fn    *ssa.Function
	ch, v ssa.Value
}

type ifaceCall struct {
	iface *types.Interface
	m     *types.Func
}

// programs splits the source into programs.
func (s *source) programs(b *bus) []*program {
	var mains, rest []*packages.Package
	for _, p := range s.pkgs {
		if !s.named[p.PkgPath] || !s.uses[p.PkgPath] {
			continue
		}
		if p.Name == "main" {
			mains = append(mains, p)
		} else {
			rest = append(rest, p)
		}
	}
	var out []*program
	for _, m := range mains {
		out = append(out, s.program(b, m.PkgPath, []*packages.Package{m}))
	}
	if len(mains) == 0 {
		out = append(out, s.program(b, "", rest))
	}
	return out
}

func (s *source) program(b *bus, name string, roots []*packages.Package) *program {
	p := &program{
		src: s, bus: b, name: name,
		reach: map[*ssa.Function]bool{}, addrTaken: map[*ssa.Function]bool{}, byOthers: map[*ssa.Function]bool{},
		methodOf: map[*ssa.Function]types.Type{}, callsOf: map[*ssa.Function][]ssa.CallInstruction{},
		makers: map[*ssa.Function][]*ssa.MakeClosure{}, yieldOf: map[*ssa.Function]*ssa.Call{},
		invokes: map[string][]ssa.CallInstruction{}, dynBySig: map[string][]ssa.CallInstruction{},
		fieldStores: map[fieldKey][]*ssa.Store{}, globals: map[*ssa.Global][]ssa.Instruction{},
		scanned: map[*ssa.Package]bool{}, memories: map[ssa.Value]*memory{}, typeSet: map[string][]types.Type{},
		filters: map[*ssa.Function]map[*ssa.BasicBlock]filter{},
	}
	p.eval = &evaluator{p: p, frames: map[frameKey]*frame{}}
	seen := map[string]bool{}
	broken := false
	var visit func(meta *packages.Package)
	visit = func(meta *packages.Package) {
		if meta == nil || seen[meta.PkgPath] || !s.uses[meta.PkgPath] {
			return
		}
		seen[meta.PkgPath] = true
		if full := s.byPath[meta.PkgPath]; full != nil {
			p.pkgs = append(p.pkgs, full)
			broken = broken || s.bad[full.PkgPath]
		}
		for _, imp := range meta.Imports {
			visit(imp)
		}
	}
	for _, r := range roots {
		visit(s.graph[r.PkgPath])
	}
	slices.SortFunc(p.pkgs, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	for _, pk := range p.pkgs {
		sp := s.ssaOf(pk)
		if sp == nil || b.pkgs[pk.Types] {
			continue
		}
		if f := sp.Func("init"); f != nil {
			p.visit(f)
		}
		if name != "" && !broken {
			if pk.PkgPath == name {
				p.visit(sp.Func("main"))
				p.starts = append(p.starts, sp.Func("main"))
			}
			continue
		}
		// Anybody may call what a library has, and code that doesn't compile may
		// call anything.
		if name != "" || s.named[pk.PkgPath] {
			n := len(p.todo)
			p.visitAll(sp)
			p.starts = append(p.starts, p.todo[n:]...)
		}
	}
	slices.SortStableFunc(p.starts, func(a, b *ssa.Function) int { return int(a.Pos() - b.Pos()) })
	p.drain()
	return p
}

func (p *program) visitAll(sp *ssa.Package) {
	for _, m := range sp.Members {
		switch m := m.(type) {
		case *ssa.Function:
			if m.TypeParams() == nil {
				p.visit(m)
			}
		case *ssa.Type:
			n, ok := m.Type().(*types.Named)
			if !ok || n.TypeParams().Len() > 0 || types.IsInterface(n) {
				continue
			}
			for _, t := range []types.Type{n, types.NewPointer(n)} {
				ms := p.src.prog.MethodSets.MethodSet(t)
				for m := range ms.Methods() {
					if f := m.Obj().(*types.Func); f.Pkg() == sp.Pkg {
						if fn := p.src.prog.MethodValue(m); fn != nil && fn.Synthetic == "" {
							p.visit(fn)
						}
					}
				}
			}
		}
	}
}

func (p *program) visit(fn *ssa.Function) {
	if fn == nil || p.reach[fn] {
		return
	}
	p.reach[fn] = true
	p.todo = append(p.todo, fn)
}

func (p *program) drain() {
	for len(p.todo) > 0 {
		fn := p.todo[len(p.todo)-1]
		p.todo = p.todo[:len(p.todo)-1]
		if fn.Blocks == nil || p.bus.owns(fn) {
			continue
		}
		p.funcs = append(p.funcs, fn)
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				p.scan(instr)
			}
		}
	}
}

func (p *program) scan(instr ssa.Instruction) {
	var callee ssa.Value
	if c, ok := instr.(ssa.CallInstruction); ok {
		common := c.Common()
		callee = common.Value
		if common.IsInvoke() {
			callee = nil
			p.invokes[common.Method.Name()] = append(p.invokes[common.Method.Name()], c)
			p.addInvoke(common)
		} else if fn := common.StaticCallee(); fn != nil {
			p.callsOf[fn] = append(p.callsOf[fn], c)
			p.visit(fn)
		} else if _, ok := callee.(*ssa.Builtin); !ok {
			p.dyn = append(p.dyn, c)
			k := sigKey(common.Signature())
			p.dynBySig[k] = append(p.dynBySig[k], c)
			if call, ok := instr.(*ssa.Call); ok {
				for _, a := range common.Args {
					if mc, ok := a.(*ssa.MakeClosure); ok && strings.HasPrefix(mc.Fn.(*ssa.Function).Synthetic, "range-over-func") {
						p.yieldOf[mc.Fn.(*ssa.Function)] = call
					} else if f, ok := a.(*ssa.Function); ok && strings.HasPrefix(f.Synthetic, "range-over-func") {
						p.yieldOf[f] = call
					}
				}
			}
		}
	}
	var ops [12]*ssa.Value
	for _, o := range instr.Operands(ops[:0]) {
		switch v := (*o).(type) {
		case *ssa.Function:
			if v != callee {
				p.take(v)
			}
		case *ssa.Global:
			p.globals[v] = append(p.globals[v], instr)
		}
	}
	switch i := instr.(type) {
	case *ssa.MakeClosure:
		fn := i.Fn.(*ssa.Function)
		p.makers[fn] = append(p.makers[fn], i)
		p.take(fn)
	case *ssa.MakeInterface:
		p.addType(i.X.Type(), i.Type())
	case *ssa.ChangeInterface:
		if iface, ok := i.Type().Underlying().(*types.Interface); ok && iface.NumMethods() > 0 {
			for m := range iface.Methods() {
				p.addIface(ifaceCall{iface, m})
			}
		}
	case *ssa.Store:
		if fa, ok := i.Addr.(*ssa.FieldAddr); ok {
			if n := namedOf(fa.X.Type()); n != nil {
				k := fieldKey{n.Obj(), fa.Field}
				p.fieldStores[k] = append(p.fieldStores[k], i)
			}
		}
	case *ssa.MapUpdate:
		p.mapUpdates = append(p.mapUpdates, i)
	case *ssa.Send:
		p.sends = append(p.sends, send{i.Parent(), i.Chan, i.X})
	case *ssa.Select:
		for _, s := range i.States {
			if s.Dir == types.SendOnly {
				p.sends = append(p.sends, send{i.Parent(), s.Chan, s.Send})
			}
		}
	}
}

// sigKey tells signatures apart without the names in them.
func sigKey(s *types.Signature) string {
	var b strings.Builder
	for v := range s.Params().Variables() {
		b.WriteString(types.TypeString(v.Type(), nil))
		b.WriteByte(',')
	}
	b.WriteByte(')')
	for v := range s.Results().Variables() {
		b.WriteString(types.TypeString(v.Type(), nil))
		b.WriteByte(',')
	}
	return b.String()
}

func (p *program) dynamicCalls(s *types.Signature) []ssa.CallInstruction {
	return p.dynBySig[sigKey(s)]
}

// take notes that fn is used as a value.
func (p *program) take(fn *ssa.Function) {
	p.addrTaken[fn] = true
	for _, v := range fn.Params {
		if p.bus.isData(v.Type()) {
			p.byOthers[fn] = true
		}
	}
	p.visit(fn)
}

// addType notes that a t is put into an interface.
func (p *program) addType(t, iface types.Type) {
	if types.IsInterface(t) {
		return
	}
	it, ok := iface.Underlying().(*types.Interface)
	if !ok {
		return
	}
	ms := p.src.prog.MethodSets.MethodSet(t)
	if ms.Len() == 0 {
		return
	}
	if !p.runtime(t) {
		p.types = append(p.types, t)
		k := types.TypeString(t, nil)
		p.typeSet[k] = append(p.typeSet[k], t)
		for _, c := range p.ifaces {
			p.connect(t, c)
		}
	}
	for m := range it.Methods() {
		p.use(t, m)
	}
}

func (p *program) runtime(t types.Type) bool {
	return slices.ContainsFunc(p.typeSet[types.TypeString(t, nil)], func(o types.Type) bool { return types.Identical(o, t) })
}

func (p *program) addInvoke(c *ssa.CallCommon) {
	if iface, ok := c.Value.Type().Underlying().(*types.Interface); ok {
		p.addIface(ifaceCall{iface, c.Method})
	}
}

func (p *program) addIface(c ifaceCall) {
	for _, o := range p.ifaces {
		if o.m.Name() == c.m.Name() && (o.iface == c.iface || types.Identical(o.iface, c.iface)) {
			return
		}
	}
	p.ifaces = append(p.ifaces, c)
	for _, t := range p.types {
		p.connect(t, c)
	}
}

func (p *program) connect(t types.Type, c ifaceCall) {
	if obj, _, _ := types.LookupFieldOrMethod(t, false, c.m.Pkg(), c.m.Name()); obj != nil && types.Implements(t, c.iface) {
		p.use(t, c.m)
	}
}

func (p *program) use(t types.Type, m *types.Func) {
	if fn := p.method(t, m); fn != nil {
		p.methodOf[fn] = t
		for _, v := range fn.Params {
			if p.bus.isData(v.Type()) {
				p.byOthers[fn] = true
			}
		}
		p.visit(fn)
	}
}

// method returns the method of t that m names, without the wrappers of embedding.
func (p *program) method(t types.Type, m *types.Func) *ssa.Function {
	sel := p.src.prog.MethodSets.MethodSet(t).Lookup(m.Pkg(), m.Name())
	if sel == nil || types.IsInterface(sel.Recv()) {
		return nil
	}
	return p.src.prog.MethodValue(sel)
}

// implementers returns the methods that an interface call may reach.
func (p *program) implementers(c *ssa.CallCommon) []*ssa.Function {
	iface, ok := c.Value.Type().Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	var out []*ssa.Function
	for _, t := range p.types {
		if obj, _, _ := types.LookupFieldOrMethod(t, false, c.Method.Pkg(), c.Method.Name()); obj != nil && types.Implements(t, iface) {
			if m := p.method(t, c.Method); m != nil && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// need builds the package of fn where that was put off, since it doesn't import
// the bus.
func (p *program) need(fn *ssa.Function) {
	if fn.Blocks == nil && fn.Pkg != nil {
		p.needPkg(fn.Pkg)
	}
}

func (p *program) needPkg(sp *ssa.Package) {
	if p.scanned[sp] {
		return
	}
	p.scanned[sp] = true
	if p.src.built[sp] && p.src.uses[sp.Pkg.Path()] {
		return // all that is reached of it is scanned
	}
	pk := p.src.byPath[sp.Pkg.Path()]
	if pk == nil || p.src.bad[pk.PkgPath] || p.bus.pkgs[sp.Pkg] {
		return
	}
	p.src.built[sp] = true
	sp.Build()
	// Nothing reaches into it but what we evaluate: note who writes its variables.
	var fns []*ssa.Function
	var add func(fn *ssa.Function)
	add = func(fn *ssa.Function) {
		fns = append(fns, fn)
		for _, a := range fn.AnonFuncs {
			add(a)
		}
	}
	for _, m := range sp.Members {
		switch m := m.(type) {
		case *ssa.Function:
			add(m)
		case *ssa.Type:
			for _, t := range []types.Type{m.Type(), types.NewPointer(m.Type())} {
				ms := p.src.prog.MethodSets.MethodSet(t)
				for method := range ms.Methods() {
					if types.IsInterface(t) {
						continue
					}
					if n, ok := m.Type().(*types.Named); ok && n.TypeParams().Len() > 0 {
						continue
					}
					if fn := p.src.prog.MethodValue(method); fn != nil {
						add(fn)
					}
				}
			}
		}
	}
	seen := map[*ssa.Function]bool{}
	for _, fn := range fns {
		if seen[fn] {
			continue
		}
		seen[fn] = true
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				var ops [12]*ssa.Value
				for _, o := range instr.Operands(ops[:0]) {
					if g, ok := (*o).(*ssa.Global); ok {
						p.globals[g] = append(p.globals[g], instr)
						p.reach[fn] = true
					}
				}
			}
		}
	}
}

// referrers returns the instructions that use v; of globals, those reached.
func (p *program) referrers(v ssa.Value) []ssa.Instruction {
	if g, ok := v.(*ssa.Global); ok {
		return p.globals[g]
	}
	if r := v.Referrers(); r != nil {
		return *r
	}
	return nil
}
