package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// shape is the JSON that encoding/json makes of a type, or reads into it.
type shape struct {
	kind   shapeKind
	name   string // of the Go type
	fields []field
	elem   *shape // of an array or an object with any keys
	bits   int    // of a number
	signed bool
	float  bool
	bytes  bool // a []byte: base64 in a string, read from an array as well
	typ    types.Type
}

type shapeKind int

const (
	opaque shapeKind = iota // anything: any, json.RawMessage, a marshaler
	boolean
	number
	text
	array
	object_
	nothing // what encoding/json refuses, such as a func
)

func (k shapeKind) String() string {
	return [...]string{"anything", "a boolean", "a number", "a string", "an array", "an object", "nothing"}[k]
}

// field is a field of a JSON object.
type field struct {
	name     string
	optional bool // may be left out: omits, or the field of an embedded pointer
	omits    bool // omitempty or omitzero
	quoted   bool // ,string
	shape    *shape
	goName   string
	v        *types.Var
}

type shaper struct {
	reading bool // the shape that is read, rather than written
	seen    map[types.Type]*shape
}

func shapeOf(t types.Type, reading bool) *shape {
	return (&shaper{reading, map[types.Type]*shape{}}).of(t)
}

func (s *shaper) of(t types.Type) *shape {
	if old := s.seen[t]; old != nil {
		return old
	}
	sh := &shape{name: types.TypeString(t, func(p *types.Package) string { return p.Name() }), typ: t}
	s.seen[t] = sh
	if s.marshaler(sh, t) {
		return sh
	}
	switch u := under(t).(type) {
	case *types.Pointer: // not a copy: a type that points to itself is under way
		s.seen[t] = s.of(u.Elem())
		return s.seen[t]
	case *types.Basic:
		basic(sh, u)
	case *types.Slice:
		sh.kind, sh.elem = array, s.of(u.Elem())
		if b, ok := under(u.Elem()).(*types.Basic); ok && b.Kind() == types.Uint8 && !s.custom(u.Elem()) {
			sh.kind, sh.bytes = text, true
		}
	case *types.Array:
		sh.kind, sh.elem = array, s.of(u.Elem())
	case *types.Map:
		sh.kind, sh.elem = object_, s.of(u.Elem())
	case *types.Struct:
		sh.kind = object_
		sh.fields = s.fields(t)
	case *types.Interface:
		sh.kind = opaque
		if s.reading && u.NumMethods() > 0 {
			sh.kind = nothing
		}
	default:
		sh.kind = nothing
	}
	return sh
}

func basic(sh *shape, b *types.Basic) {
	switch info := b.Info(); {
	case info&types.IsBoolean != 0:
		sh.kind = boolean
	case info&types.IsString != 0:
		sh.kind = text
	case info&types.IsInteger != 0:
		sh.kind, sh.signed = number, info&types.IsUnsigned == 0
		sh.bits = map[types.BasicKind]int{types.Int8: 8, types.Uint8: 8, types.Int16: 16, types.Uint16: 16, types.Int32: 32, types.Uint32: 32}[b.Kind()]
		sh.bits = cmp.Or(sh.bits, 64)
	case info&types.IsFloat != 0:
		sh.kind, sh.float, sh.bits = number, true, 64
		if b.Kind() == types.Float32 {
			sh.bits = 32
		}
	default:
		sh.kind = nothing
	}
}

// marshaler sets the shape of types that encode or decode themselves.
func (s *shaper) marshaler(sh *shape, t types.Type) bool {
	switch {
	case isNamed(t, "time", "Time"):
		sh.kind = text
		return true
	case isNamed(t, "encoding/json", "RawMessage"), isNamed(t, "encoding/json/jsontext", "Value"):
		sh.kind = opaque
		return true
	case isNamed(t, "encoding/json", "Number"):
		sh.kind, sh.float, sh.bits, sh.signed = number, true, 64, true
		if s.reading {
			sh.bits = 1000
		}
		return true
	}
	if types.IsInterface(t) {
		return false
	}
	method, txt := "MarshalJSON", "MarshalText"
	if s.reading {
		method, txt = "UnmarshalJSON", "UnmarshalText"
	}
	if hasMethod(t, method) || hasMethod(t, method+"To") || hasMethod(t, method+"From") {
		sh.kind = opaque
		return true
	}
	if hasMethod(t, txt) {
		sh.kind = text
		return true
	}
	return false
}

func (s *shaper) custom(t types.Type) bool { return s.marshaler(&shape{}, t) }

func hasMethod(t types.Type, name string) bool {
	if _, ok := types.Unalias(t).(*types.Pointer); !ok {
		t = types.NewPointer(t)
	}
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	_, ok := obj.(*types.Func)
	return ok
}

// fields returns the fields of a struct by the rules of encoding/json: embedded
// structs are flattened, of equal names the shallowest wins, then the only
// tagged one, and none where that leaves several.
func (s *shaper) fields(t types.Type) []field {
	type cand struct {
		field
		depth  int
		tagged bool
	}
	var all []cand
	type level struct {
		t     types.Type
		depth int
		ptr   bool // through an embedded pointer, which may be nil
	}
	todo := []level{{t, 0, false}}
	visited := map[types.Type]bool{}
	for len(todo) > 0 {
		l := todo[0]
		todo = todo[1:]
		if visited[l.t] {
			continue
		}
		visited[l.t] = true
		st := under(l.t).(*types.Struct)
		for i := range st.NumFields() {
			v := st.Field(i)
			tag := parseTag(st.Tag(i))
			if tag.skip {
				continue
			}
			ft := v.Type()
			if v.Embedded() {
				et := ft
				p, ptr := types.Unalias(et).(*types.Pointer)
				if ptr {
					et = p.Elem()
				}
				_, isStruct := under(et).(*types.Struct)
				if !v.Exported() && !isStruct {
					continue
				}
				if tag.name == "" && isStruct && !s.custom(et) {
					todo = append(todo, level{et, l.depth + 1, l.ptr || ptr})
					continue
				}
				if !v.Exported() && tag.name == "" {
					continue
				}
			} else if !v.Exported() {
				continue
			}
			f := field{name: cmp.Or(tag.name, v.Name()), optional: tag.optional || l.ptr, omits: tag.optional, goName: v.Name(), v: v}
			f.shape = s.of(ft)
			if tag.quoted {
				switch b, _ := under(deref(ft)).(*types.Basic); {
				case b != nil && b.Info()&(types.IsNumeric|types.IsBoolean|types.IsString) != 0:
					f.quoted = true
				}
			}
			all = append(all, cand{f, l.depth, tag.name != ""})
		}
	}
	var out []field
	done := map[string]bool{}
	for _, c := range all {
		if done[c.name] {
			continue
		}
		done[c.name] = true
		var best []cand
		for _, o := range all {
			switch {
			case o.name != c.name:
			case len(best) == 0 || o.depth < best[0].depth:
				best = []cand{o}
			case o.depth == best[0].depth:
				best = append(best, o)
			}
		}
		if len(best) > 1 {
			best = slices.DeleteFunc(best, func(o cand) bool { return !o.tagged })
		}
		if len(best) == 1 {
			out = append(out, best[0].field)
		}
	}
	return out
}

// jsonTag is what a struct tag tells encoding/json.
type jsonTag struct {
	name                   string
	skip, optional, quoted bool
}

func parseTag(tag string) jsonTag {
	v := reflect.StructTag(tag).Get("json")
	if v == "-" {
		return jsonTag{skip: true}
	}
	parts := strings.Split(v, ",")
	t := jsonTag{name: parts[0]}
	if strings.ContainsAny(t.name, "\"\\`',") {
		t.name = "" // not a name that encoding/json takes
	}
	for _, o := range parts[1:] {
		switch o {
		case "omitempty", "omitzero":
			t.optional = true
		case "string":
			t.quoted = true
		}
	}
	return t
}

// shapeOf returns what a payload is as JSON.
func (p payload) shape() *shape {
	switch {
	case p.none:
		return &shape{kind: object_, name: "no payload"}
	case p.json != "":
		var v any
		if json.Unmarshal([]byte(p.json), &v) != nil {
			return &shape{kind: opaque, name: "a text"}
		}
		return shapeOfJSON(v)
	case p.keys != nil:
		sh := &shape{kind: object_, name: "a map", typ: p.typ}
		for i, k := range p.keys.keys {
			sh.fields = append(sh.fields, field{name: k, shape: shapeOf(p.keys.types[i], false)})
		}
		return sh
	}
	return shapeOf(p.typ, false)
}

func shapeOfJSON(v any) *shape {
	switch v := v.(type) {
	case bool:
		return &shape{kind: boolean, name: "a text"}
	case float64:
		if v == float64(int32(v)) {
			return &shape{kind: number, bits: 8, signed: v < 0, name: "a text"}
		}
		return &shape{kind: number, bits: 64, float: true, name: "a text"}
	case string:
		return &shape{kind: text, name: "a text"}
	case []any:
		sh := &shape{kind: array, name: "a text", elem: &shape{}}
		if len(v) > 0 {
			sh.elem = shapeOfJSON(v[0])
		}
		return sh
	case map[string]any:
		sh := &shape{kind: object_, name: "a text"}
		for k, e := range v {
			sh.fields = append(sh.fields, field{name: k, shape: shapeOfJSON(e)})
		}
		slices.SortFunc(sh.fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
		return sh
	}
	return &shape{name: "null"}
}

// misfit is one way in which a consumer can't read what a producer writes.
type misfit struct {
	path     string
	missing  bool
	overflow bool
	why      string
}

// maxMisfits is where compare stops to look at the same pair of types again.
const maxMisfits = 100

// compare returns where reader, the shape of a consumer, doesn't fit what writer
// gives.
func compare(writer, reader *shape) []misfit {
	var out []misfit
	type pair struct {
		w, r   *shape
		wq, rq bool
	}
	seen := map[pair]bool{}
	var cmpShapes func(path string, w, r *shape, wq, rq bool)
	cmpShapes = func(path string, w, r *shape, wq, rq bool) {
		if w.kind == opaque || w.kind == nothing || r.kind == opaque || seen[pair{w, r, wq, rq}] {
			return
		}
		// What fits once fits again; types that hold each other would make for many
		// paths.
		seen[pair{w, r, wq, rq}] = true
		defer func(n int) {
			if len(out) > n && len(out) < maxMisfits {
				delete(seen, pair{w, r, wq, rq})
			}
		}(len(out))
		if r.kind == nothing {
			out = append(out, misfit{path: path, why: "nothing can be decoded to a " + r.name})
			return
		}
		if wq != rq && (w.kind == number || w.kind == boolean || r.kind == number || r.kind == boolean) {
			if wq && r.kind == text && !rq {
				return // "12" read as text
			}
			if !rq || w.kind != text { // text may hold a number
				is, wants := kindName(w, wq), kindName(r, rq)
				out = append(out, misfit{path: path, why: fmt.Sprintf("is %s, and is read as %s", is, wants)})
				return
			}
			return
		}
		if w.kind != r.kind {
			if w.kind == array && r.bytes && w.elem != nil && w.elem.kind == number {
				return
			}
			if isNamed(r.typ, "encoding/json", "Number") && w.kind == text {
				return
			}
			out = append(out, misfit{path: path, why: fmt.Sprintf("is %s, and is read as %s", kindName(w, false), kindName(r, false))})
			return
		}
		switch w.kind {
		case number:
			if why := overflow(w, r); why != "" {
				out = append(out, misfit{path: path, overflow: true, why: why})
			}
		case array:
			if w.elem != nil && r.elem != nil {
				cmpShapes(path+"[]", w.elem, r.elem, false, false)
			}
		case object_:
			if w.elem != nil { // a map: any keys, of one kind
				for _, f := range r.fields {
					cmpShapes(join(path, f.name), w.elem, f.shape, false, f.quoted)
				}
				if r.elem != nil {
					cmpShapes(path+"{}", w.elem, r.elem, false, false)
				}
				return
			}
			if r.elem != nil {
				for _, f := range w.fields {
					cmpShapes(join(path, f.name), f.shape, r.elem, f.quoted, false)
				}
				return
			}
			for _, f := range r.fields {
				g := written(w.fields, f.name, r.fields)
				if g == nil {
					out = append(out, misfit{path: join(path, f.name), missing: true})
					continue
				}
				cmpShapes(join(path, f.name), g.shape, f.shape, g.quoted, f.quoted)
			}
		}
	}
	cmpShapes("", writer, reader, false, false)
	return out
}

func kindName(s *shape, quoted bool) string {
	if quoted {
		return s.kind.String() + " in a string"
	}
	return s.kind.String()
}

// written returns the field that is read as name: the one of that name, or one
// that differs in case only and that the reader has no better field for.
func written(fields []field, name string, readers []field) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, name) && !slices.ContainsFunc(readers, func(f field) bool { return f.name == fields[i].name }) {
			return &fields[i]
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func overflow(w, r *shape) string {
	what := func(s *shape) string {
		switch {
		case s.float:
			return fmt.Sprintf("a float%d", s.bits)
		case s.signed:
			return fmt.Sprintf("an int%d", s.bits)
		default:
			return fmt.Sprintf("a uint%d", s.bits)
		}
	}
	bad := false
	switch {
	case w.float && r.float:
		bad = w.bits > r.bits
	case r.float:
	case w.float:
		bad = true
	case w.signed && !r.signed:
		bad = true
	case !w.signed && r.signed:
		bad = w.bits >= r.bits
	default:
		bad = w.bits > r.bits
	}
	if !bad {
		return ""
	}
	return fmt.Sprintf("is %s, and may not fit %s", what(w), what(r))
}
