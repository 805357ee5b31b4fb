package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// asyncDocument is an AsyncAPI 3.0.0 document: the part of the format that a
// wiring fills (https://www.asyncapi.com/docs/reference/specification/v3.0.0).
type asyncDocument struct {
	AsyncAPI           string                     `json:"asyncapi"`
	Info               asyncInfo                  `json:"info"`
	DefaultContentType string                     `json:"defaultContentType"`
	Channels           map[string]*asyncChannel   `json:"channels"`
	Operations         map[string]*asyncOperation `json:"operations"`
	Components         asyncComponents            `json:"components"`
	Unknown            []unknownEntry             `json:"x-unknown,omitempty"`
}

type asyncInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

type asyncComponents struct {
	Schemas map[string]*jsonSchema `json:"schemas,omitempty"`
}

type asyncChannel struct {
	Address     string                   `json:"address"`
	Description string                   `json:"description,omitempty"`
	Messages    map[string]*asyncMessage `json:"messages"`
}

type asyncMessage struct {
	Name    string      `json:"name"`
	Title   string      `json:"title"`
	Summary string      `json:"summary,omitempty"`
	Payload *jsonSchema `json:"payload,omitempty"`
}

type asyncOperation struct {
	Action      string           `json:"action"`
	Channel     asyncRef         `json:"channel"`
	Summary     string           `json:"summary"`
	Description string           `json:"description,omitempty"`
	Tags        []asyncTag       `json:"tags"`
	Messages    []asyncRef       `json:"messages,omitempty"`
	Producers   []*asyncProducer `json:"x-producers,omitempty"`
	Handlers    []*asyncHandler  `json:"x-handlers,omitempty"`
}

type asyncRef struct {
	Ref string `json:"$ref"`
}

type asyncTag struct {
	Name string `json:"name"`
}

type asyncProducer struct {
	Func  string `json:"func"`
	Place string `json:"place"` // file:line
}

type asyncHandler struct {
	Name       string   `json:"name"`
	Registered string   `json:"registered"`       // file:line
	Source     string   `json:"source,omitempty"` // of the function, file:line
	For        string   `json:"for"`              // domain/action as registered
	Reads      []string `json:"reads,omitempty"`  // JSON fields
}

// jsonSchema is a JSON Schema of draft 7, which AsyncAPI's own schemas are a
// superset of.
type jsonSchema struct {
	Ref                  string                 `json:"$ref,omitempty"`
	Description          string                 `json:"description,omitempty"`
	Type                 schemaTypes            `json:"type,omitempty"`
	Format               string                 `json:"format,omitempty"`
	ContentEncoding      string                 `json:"contentEncoding,omitempty"`
	Minimum              json.Number            `json:"minimum,omitempty"`
	Maximum              json.Number            `json:"maximum,omitempty"`
	Items                *jsonSchema            `json:"items,omitempty"`
	MinItems             *int64                 `json:"minItems,omitempty"`
	MaxItems             *int64                 `json:"maxItems,omitempty"`
	Properties           map[string]*jsonSchema `json:"properties,omitempty"`
	Required             []string               `json:"required,omitempty"`
	AdditionalProperties *jsonSchema            `json:"additionalProperties,omitempty"`
	AllOf                []*jsonSchema          `json:"allOf,omitempty"`
	AnyOf                []*jsonSchema          `json:"anyOf,omitempty"`
	Not                  *jsonSchema            `json:"not,omitempty"`
}

// schemaTypes is one type as a string, or several as an array.
type schemaTypes []string

func (t schemaTypes) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// identifiers turns names into keys that AsyncAPI takes everywhere, letters,
// digits, dots, underscores and dashes, each another.
type identifiers struct {
	byName map[string]string
	taken  map[string]bool
}

func newIdentifiers() *identifiers {
	return &identifiers{map[string]string{}, map[string]bool{}}
}

// of returns the identifier of what unique tells from all others, made of name.
func (ids *identifiers) of(unique, name string) string {
	if id, ok := ids.byName[unique]; ok {
		return id
	}
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		case r == '/':
			return '.'
		}
		return '_'
	}, name), "_")
	base = cmp.Or(base, "x")
	id := base
	for n := 2; ids.taken[id]; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	ids.byName[unique], ids.taken[id] = id, true
	return id
}

// asyncMaker makes the document.
type asyncMaker struct {
	*model
	docs    map[token.Pos]string
	ids     *identifiers // of schemas
	schemas map[string]*jsonSchema
}

func (a *model) asyncapi(version string) *asyncDocument {
	m := &asyncMaker{a, a.src.docs(), newIdentifiers(), map[string]*jsonSchema{}}
	d := &asyncDocument{
		AsyncAPI: "3.0.0", DefaultContentType: "application/json",
		Channels: map[string]*asyncChannel{}, Operations: map[string]*asyncOperation{},
	}
	d.Info.Title, d.Info.Version = a.identity()
	d.Info.Version = cmp.Or(version, d.Info.Version, "0.0.0")
	d.Info.Description = "The events of " + d.Info.Title + ", read from its source by eventbus asyncapi: who makes each, with what payload, and who handles it."
	channels, operations := newIdentifiers(), newIdentifiers()
	for _, c := range a.contracts() {
		id := channels.of(c.event.String(), c.event.String())
		ch := &asyncChannel{Address: c.event.String(), Description: m.docs[c.doc], Messages: map[string]*asyncMessage{}}
		d.Channels[id] = ch
		ref := asyncRef{"#/channels/" + id}
		messages := m.messages(c, ch)
		operation := func(pkg, action, verb string) *asyncOperation {
			key := operations.of(strings.Join([]string{pkg, verb, c.event.domain, c.event.action}, "\x00"), strings.Join([]string{a.src.shortPath(pkg), verb, c.event.String()}, "."))
			op := d.Operations[key]
			if op == nil {
				op = &asyncOperation{Action: action, Channel: ref, Tags: []asyncTag{{a.src.shortPath(pkg)}}}
				d.Operations[key] = op
			}
			return op
		}
		for _, mk := range c.makers {
			pkg := pkgPath(mk.fn)
			if p := a.src.packageAt(mk.pos); p != nil {
				pkg = p.PkgPath // who names the event, where a helper makes it
			}
			op := operation(pkg, "send", "sends")
			p := &asyncProducer{funcName(mk.fn), a.src.portable(mk.pos)}
			op.Producers = append(op.Producers, p)
			op.Summary = also(op.Summary, p.Func+" at "+p.Place)
			op.describe(m.docs[declaredAt(mk)])
			for _, msg := range messages[mk] {
				if r := (asyncRef{ref.Ref + "/messages/" + msg}); !slices.Contains(op.Messages, r) {
					op.Messages = append(op.Messages, r)
				}
			}
		}
		for _, rd := range c.readers {
			pkg := ""
			if rd.r.fn.kind == function {
				pkg = pkgPath(rd.r.fn.fn)
			}
			if p := a.src.packageAt(rd.r.place); pkg == "" && p != nil {
				pkg = p.PkgPath
			}
			op := operation(pkg, "receive", "receives")
			h := &asyncHandler{Name: rd.r.handler, Registered: a.src.portable(rd.r.place), Source: a.src.portable(rd.r.at), For: rd.r.String()}
			for _, t := range rd.types {
				for _, f := range shapeOf(t, true).fields {
					h.Reads = append(h.Reads, f.name)
				}
			}
			slices.Sort(h.Reads)
			h.Reads = slices.Compact(h.Reads)
			op.Handlers = append(op.Handlers, h)
			op.Summary = also(op.Summary, h.Name+", registered at "+h.Registered)
			op.describe(m.docs[rd.r.at])
		}
	}
	d.Components.Schemas = m.schemas
	for i := range a.programs {
		for _, u := range a.unknowns(i) {
			if !slices.Contains(d.Unknown, u) {
				d.Unknown = append(d.Unknown, u)
			}
		}
	}
	return d
}

func declaredAt(mk *maker) token.Pos {
	if obj := declared(mk.fn); obj != nil {
		return obj.Pos()
	}
	return token.NoPos
}

func also(text, more string) string {
	if text == "" {
		return more
	}
	return text + "; " + more
}

// describe adds the doc comment of one more function.
func (op *asyncOperation) describe(doc string) {
	switch {
	case doc == "" || strings.Contains(op.Description, doc):
	case op.Description == "":
		op.Description = doc
	default:
		op.Description += "\n\n" + doc
	}
}

// identity returns the program's import path where there is one program, else
// the module's, and the module's version where the go command knows it.
func (a *model) identity() (title, version string) {
	for _, path := range slices.Sorted(maps.Keys(a.src.named)) {
		if meta := a.src.graph[path]; meta != nil && meta.Module != nil {
			title, version = meta.Module.Path, meta.Module.Version
			break
		}
		title = cmp.Or(title, path)
	}
	if len(a.programs) == 1 && a.programs[0].name != "" {
		title = a.programs[0].name
	}
	return title, version
}

// messages adds the messages of a channel: one for each type that is made, or,
// of an event that nothing here makes, that its handlers read. It returns the
// keys of what each maker sends.
func (m *asyncMaker) messages(c *contract, ch *asyncChannel) map[*maker][]string {
	ids := newIdentifiers()
	sent := map[*maker][]string{}
	add := func(title, summary string, payload *jsonSchema) string {
		unique, _ := json.Marshal([]any{title, payload})
		id := ids.of(string(unique), title)
		ch.Messages[id] = &asyncMessage{Name: c.event.String(), Title: title, Summary: summary, Payload: payload}
		return id
	}
	for _, mk := range c.makers {
		for _, p := range mk.payloads {
			var id string
			if p.none {
				id = add("empty", "An event without payload.", nil)
			} else {
				sh := p.shape()
				id = add(title(p.typ), "", m.payload(p, sh))
			}
			sent[mk] = append(sent[mk], id)
		}
		if mk.unknown || len(mk.payloads) == 0 {
			sent[mk] = append(sent[mk], add("unknown", "A payload that is known only when the program runs.", nil))
		}
	}
	if len(c.makers) == 0 {
		for _, rd := range c.readers {
			if rd.r.name != c.event {
				continue
			}
			for _, t := range rd.types {
				add(title(t), "Made elsewhere: what "+rd.r.handler+" reads of it.", m.schema(t, shapeOf(t, true), true))
			}
		}
		if len(ch.Messages) == 0 {
			add("unknown", "Made elsewhere.", nil)
		}
	}
	return sent
}

// title names a payload's type as people do; one without a name is a payload.
func title(t types.Type) string {
	if t != nil {
		if n := namedOf(deref(t)); n != nil {
			return types.TypeString(n, func(p *types.Package) string { return p.Name() })
		}
	}
	return "payload"
}

func (m *asyncMaker) payload(p payload, sh *shape) *jsonSchema {
	if p.keys == nil {
		return m.schema(p.typ, sh, false)
	}
	s := &jsonSchema{Type: schemaTypes{"object"}, Properties: map[string]*jsonSchema{}, Required: slices.Sorted(slices.Values(p.keys.keys))}
	for i, f := range sh.fields {
		s.Properties[f.name] = m.schema(p.keys.types[i], f.shape, false)
	}
	return s
}

// schema returns the schema of a t, whose shape is sh; t is nil where the shape
// was read from a text.
func (m *asyncMaker) schema(t types.Type, sh *shape, reading bool) *jsonSchema {
	s := m.component(t, sh, reading)
	if s == nil {
		s = m.inline(sh, reading)
		if n := namedOf(sh.typ); n != nil {
			s.Description = m.docs[n.Obj().Pos()]
		}
	}
	if !nullable(t, sh) {
		return s
	}
	if s.Ref != "" {
		return &jsonSchema{AnyOf: []*jsonSchema{s, {Type: schemaTypes{"null"}}}}
	}
	if len(s.Type) > 0 {
		s.Type = append(s.Type, "null")
	}
	return s
}

// component returns a reference to the schema of a type that has a name and
// parts, nil for others.
func (m *asyncMaker) component(t types.Type, sh *shape, reading bool) *jsonSchema {
	n := namedOf(sh.typ)
	if t == nil || n == nil || n.Obj().Pkg() == nil || sh.kind != object_ && sh.kind != array {
		return nil
	}
	unique := types.TypeString(n, nil) + strconv.FormatBool(reading)
	known := m.ids.byName[unique] != ""
	id := m.ids.of(unique, types.TypeString(n, func(p *types.Package) string { return strings.ReplaceAll(m.src.shortPath(p.Path()), "/", ".") }))
	if !known {
		s := &jsonSchema{}
		m.schemas[id] = s // first, since the type may hold itself
		*s = *m.inline(sh, reading)
		s.Description = m.docs[n.Obj().Pos()]
	}
	return &jsonSchema{Ref: "#/components/schemas/" + id}
}

func (m *asyncMaker) inline(sh *shape, reading bool) *jsonSchema {
	s := &jsonSchema{}
	switch sh.kind {
	case opaque:
	case nothing:
		s.Not = &jsonSchema{}
	case boolean:
		s.Type = schemaTypes{"boolean"}
	case number:
		numberSchema(s, sh)
	case text:
		s.Type = schemaTypes{"string"}
		switch {
		case sh.bytes:
			s.ContentEncoding = "base64"
		case isNamed(sh.typ, "time", "Time"):
			s.Format = "date-time"
		}
	case array:
		s.Type = schemaTypes{"array"}
		var elem types.Type
		switch u := under(sh.typ).(type) {
		case *types.Slice:
			elem = u.Elem()
		case *types.Array:
			elem = u.Elem()
			n := u.Len()
			s.MinItems, s.MaxItems = &n, &n
		}
		s.Items = m.schema(elem, sh.elem, reading)
	case object_:
		s.Type = schemaTypes{"object"}
		if sh.elem != nil {
			var elem types.Type
			if u, ok := under(sh.typ).(*types.Map); ok {
				elem = u.Elem()
			}
			s.AdditionalProperties = m.schema(elem, sh.elem, reading)
			break
		}
		if len(sh.fields) > 0 {
			s.Properties = map[string]*jsonSchema{}
		}
		for _, f := range sh.fields {
			s.Properties[f.name] = m.field(f, reading)
			if !f.optional && !reading {
				s.Required = append(s.Required, f.name)
			}
		}
		slices.Sort(s.Required)
	}
	return s
}

func (m *asyncMaker) field(f field, reading bool) *jsonSchema {
	var t types.Type
	doc := ""
	if f.v != nil {
		t, doc = f.v.Type(), m.docs[f.v.Pos()]
	}
	s := m.schema(t, f.shape, reading)
	if f.quoted {
		s = &jsonSchema{Type: append(schemaTypes{"string"}, slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t != "null" })...)}
		if f.shape.kind != text {
			doc = strings.TrimSpace(doc + "\n\nIt is " + f.shape.kind.String() + " in a string.")
		}
	}
	if f.omits && len(s.AnyOf) > 0 {
		s = s.AnyOf[0] // left out rather than null
	} else if f.omits {
		s.Type = slices.DeleteFunc(s.Type, func(t string) bool { return t == "null" })
	}
	switch {
	case doc == "":
	case s.Ref != "": // what stands beside a $ref is not looked at
		s = &jsonSchema{Description: doc, AllOf: []*jsonSchema{s}}
	default:
		s.Description = doc
	}
	return s
}

// numberSchema says what a number may be. Formats are those of the OpenAPI
// registry.
func numberSchema(s *jsonSchema, sh *shape) {
	if sh.float {
		s.Type = schemaTypes{"number"}
		switch {
		case isNamed(sh.typ, "encoding/json", "Number"):
		case sh.bits == 32:
			s.Format = "float"
		default:
			s.Format = "double"
		}
		return
	}
	s.Type = schemaTypes{"integer"}
	switch {
	case !sh.signed:
		s.Minimum = "0"
		if sh.bits < 64 {
			s.Maximum = json.Number(strconv.FormatUint(1<<sh.bits-1, 10))
		}
	case sh.bits < 32:
		s.Minimum = json.Number(strconv.FormatInt(-1<<(sh.bits-1), 10))
		s.Maximum = json.Number(strconv.FormatInt(1<<(sh.bits-1)-1, 10))
	default:
		s.Format = "int" + strconv.Itoa(sh.bits)
	}
}

// nullable reports whether encoding/json writes null for some value of t.
func nullable(t types.Type, sh *shape) bool {
	switch under(t).(type) {
	case *types.Pointer:
		return true
	case *types.Slice:
		return sh.kind == array || sh.bytes
	case *types.Map:
		return sh.kind == object_
	}
	return false
}

// docs returns the doc comments of all types, fields, functions and variables
// that were read as source, by the place of the name. A field's comment at the
// end of its line counts where there is none above.
func (s *source) docs() map[token.Pos]string {
	docs := map[token.Pos]string{}
	add := func(name *ast.Ident, groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if text := strings.TrimSpace(g.Text()); text != "" {
				docs[name.Pos()] = text
				return
			}
		}
	}
	for _, p := range s.pkgs {
		for _, f := range p.Syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					add(n.Name, n.Doc)
				case *ast.GenDecl:
					for _, spec := range n.Specs {
						switch spec := spec.(type) {
						case *ast.TypeSpec:
							if n.Lparen.IsValid() {
								add(spec.Name, spec.Doc, spec.Comment)
							} else {
								add(spec.Name, spec.Doc, n.Doc, spec.Comment)
							}
						case *ast.ValueSpec:
							for _, name := range spec.Names {
								if n.Lparen.IsValid() {
									add(name, spec.Doc, spec.Comment)
								} else {
									add(name, spec.Doc, n.Doc, spec.Comment)
								}
							}
						}
					}
				case *ast.StructType:
					for _, f := range n.Fields.List {
						for _, name := range f.Names {
							add(name, f.Doc, f.Comment)
						}
					}
				}
				return true
			})
		}
	}
	return docs
}

var asyncapiCommand = &command{
	name: "asyncapi", args: "[flags] [packages]", short: "prints the events as an AsyncAPI 3.0 document",
	long: `Asyncapi prints the wiring as an AsyncAPI 3.0 document (www.asyncapi.com), in JSON,
for catalogs, documentation pages and generators of clients in other languages:

  eventbus asyncapi ./cmd/shop > asyncapi.json

In it stands
  - a channel for each event, whose address is the event's name, domain/action:
    what the bus, its errors and the other commands call it. A broker's topics
    are the program's own choice, and unknown here;
  - a message for each type that is made as the event's payload, with a JSON
    Schema of what encoding/json makes of it. Of an event that only handlers
    know, the message is what they read;
  - an operation for each package that makes an event (send) or handles it
    (receive). x-producers and x-handlers give functions, files and lines;
  - x-unknown: what is known only when the program runs, as in eventbus list.
Doc comments of types, fields, handlers and Event variables are the descriptions.

The title is the import path of the program, or of the module where there are
several. The source doesn't tell its own version: give one with -release.
The same source gives the same document, byte by byte.

Exit status: 0 fine, 2 the program can't be loaded, or not all of it.
`,
	run: runAsyncapi,
}

func runAsyncapi(ctx context.Context, c *command, args []string, out, errw io.Writer) int {
	o, _, a, status := c.start(ctx, args, errw)
	if a == nil {
		return status
	}
	if err := writeJSON(out, a.asyncapi(o.release)); err != nil {
		fmt.Fprintf(errw, "eventbus: %v\n", err)
		return exitFailed
	}
	if len(a.src.broken) > 0 {
		fmt.Fprintln(errw, "eventbus: not all of the program could be loaded; what could is in the document")
		return exitFailed
	}
	return exitFine
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
