package main

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

// bus knows the event bus by its names: a type Bus with methods Register, Call
// and Publish in a package that is named eventbus, or whose path ends so.
type bus struct {
	pkgs  map[*types.Package]bool
	types []types.Type // *Bus, of each
}

func findBus(pkgs []*packages.Package) *bus {
	b := &bus{pkgs: map[*types.Package]bool{}}
	seen := map[*types.Package]bool{}
	var visit func(p *types.Package)
	visit = func(p *types.Package) {
		if p == nil || seen[p] {
			return
		}
		seen[p] = true
		b.add(p)
		for _, imp := range p.Imports() {
			visit(imp)
		}
	}
	for _, p := range pkgs {
		visit(p.Types)
	}
	return b
}

func (b *bus) add(p *types.Package) {
	if !busNamed(p.Path(), p.Name()) {
		return
	}
	tn, ok := p.Scope().Lookup("Bus").(*types.TypeName)
	if !ok {
		return
	}
	ptr := types.NewPointer(tn.Type())
	for _, m := range []string{"Register", "Call", "Publish"} {
		if obj, _, _ := types.LookupFieldOrMethod(ptr, true, p, m); obj == nil {
			return
		}
	}
	b.pkgs[p] = true
	b.types = append(b.types, ptr)
}

// op is what a function of the bus does.
type op int

const (
	opNone        op = iota
	opRegister       // (*Bus).Register(domain, action, fn, mw...)
	opHandle         // (*Bus).Handle(Handler, fn, mw...)
	opOn             // On[T](bus, domain, action, fn, mw...)
	opEventOn        // Event[T].On(bus, fn, mw...)
	opCall           // (*Bus).Call(ctx, data)
	opPublish        // (*Bus).Publish(ctx, data)
	opNewData        // NewData(domain, action, params)
	opMustData       // MustData(domain, action, params)
	opNew            // Event[T].New(params)
	opMust           // Event[T].Must(params)
	opDecode         // Decode[T](data)
	opEventDecode    // Event[T].Decode(data)
	opOther
)

var opsByName = map[string]op{
	"Bus.Register": opRegister, "Bus.Handle": opHandle, "Bus.Call": opCall, "Bus.Publish": opPublish,
	"On": opOn, "NewData": opNewData, "MustData": opMustData, "Decode": opDecode,
	"Event.On": opEventOn, "Event.New": opNew, "Event.Must": opMust, "Event.Decode": opEventDecode,
}

func (b *bus) op(fn *ssa.Function) op {
	if fn == nil || isWrapper(fn) {
		return opNone
	}
	return b.opOf(declared(fn))
}

func (b *bus) opOf(obj *types.Func) op {
	if obj == nil || obj.Pkg() == nil || !b.pkgs[obj.Pkg()] {
		return opNone
	}
	name := obj.Name()
	if recv := obj.Signature().Recv(); recv != nil {
		n := namedOf(recv.Type())
		if n == nil {
			return opOther
		}
		name = n.Obj().Name() + "." + name
	}
	if o, ok := opsByName[name]; ok {
		return o
	}
	return opOther
}

// beside reports whether fn is declared in a package directly below that of a
// bus, such as a queue for it.
func (b *bus) beside(fn *ssa.Function) bool {
	path := pkgPath(fn)
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return false
	}
	for p := range b.pkgs {
		if p.Path() == path[:i] {
			return true
		}
	}
	return false
}

// answers reports whether fn is reply.On, or a part of it: a registration whose
// handler decodes the first of its types.
func (b *bus) answers(fn *ssa.Function) bool {
	for fn.Parent() != nil {
		fn = fn.Parent()
	}
	obj := declared(fn)
	if obj == nil || obj.Name() != "On" || !b.beside(fn) {
		return false
	}
	sig := obj.Signature()
	return sig.Recv() == nil && sig.TypeParams().Len() > 0 && sig.Params().Len() >= 4 &&
		b.isType(sig.Params().At(0).Type(), "Bus") && isString(sig.Params().At(1).Type()) && isString(sig.Params().At(2).Type())
}

// owns reports whether fn is part of a bus.
func (b *bus) owns(fn *ssa.Function) bool {
	if isWrapper(fn) {
		return false
	}
	for f := fn; f != nil; f = f.Parent() {
		if obj := declared(f); obj != nil && b.pkgs[obj.Pkg()] {
			return true
		}
		if f.Pkg != nil && b.pkgs[f.Pkg.Pkg] {
			return true
		}
	}
	return false
}

func isWrapper(fn *ssa.Function) bool {
	s := fn.Synthetic
	return strings.HasPrefix(s, "bound") || strings.HasPrefix(s, "thunk") || strings.HasPrefix(s, "wrapper")
}

func (b *bus) isType(t types.Type, name string) bool {
	n := namedOf(t)
	return n != nil && n.Obj().Name() == name && n.Obj().Pkg() != nil && b.pkgs[n.Obj().Pkg()]
}

func (b *bus) isData(t types.Type) bool {
	if t == nil {
		return false
	}
	if _, ok := types.Unalias(t).(*types.Pointer); ok {
		return false
	}
	return b.isType(t, "Data")
}

// invoked returns what an interface's method does, where the bus fits the
// interface.
func (b *bus) invoked(c *ssa.CallCommon) op {
	o := map[string]op{"Register": opRegister, "Handle": opHandle, "Call": opCall, "Publish": opPublish}[c.Method.Name()]
	if o == opNone {
		return opNone
	}
	iface, ok := c.Value.Type().Underlying().(*types.Interface)
	if !ok {
		return opNone
	}
	for _, t := range b.types {
		if types.Implements(t, iface) {
			return o
		}
	}
	return opNone
}

// declared returns the declared function that fn is, or is an instance of.
func declared(fn *ssa.Function) *types.Func {
	if fn == nil {
		return nil
	}
	if o := fn.Origin(); o != nil {
		fn = o
	}
	obj, _ := fn.Object().(*types.Func)
	if obj != nil {
		obj = obj.Origin()
	}
	return obj
}

// fullName returns path.Func for a package-level function.
func fullName(fn *ssa.Function) string {
	obj := declared(fn)
	if obj == nil || obj.Pkg() == nil || obj.Signature().Recv() != nil {
		return ""
	}
	return obj.Pkg().Path() + "." + obj.Name()
}

func namedOf(t types.Type) *types.Named {
	if t == nil {
		return nil
	}
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, _ := t.(*types.Named)
	return n
}

func under(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	return t.Underlying()
}

func deref(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// fieldType returns the type of what is at path in a t, or nil.
func fieldType(t types.Type, path []step) types.Type {
	for _, s := range path {
		switch u := under(t).(type) {
		case *types.Struct:
			if s.field < 0 || s.field >= u.NumFields() {
				return nil
			}
			t = u.Field(s.field).Type()
		case *types.Array:
			t = u.Elem()
		case *types.Slice:
			t = u.Elem()
		default:
			return nil
		}
	}
	return t
}

func isString(t types.Type) bool {
	b, ok := under(t).(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

func isInteger(t types.Type) bool {
	b, ok := under(t).(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

func isBytes(t types.Type) bool {
	s, ok := under(t).(*types.Slice)
	if !ok {
		return false
	}
	b, ok := under(s.Elem()).(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

var errorType = types.Universe.Lookup("error").Type()

func isErrorType(t types.Type) bool {
	return types.Identical(t, errorType) || types.IsInterface(t) && types.Implements(t, errorType.Underlying().(*types.Interface))
}

func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.Value == nil
}

func isNamed(t types.Type, pkg, name string) bool {
	n := namedOf(t)
	return n != nil && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == pkg
}
