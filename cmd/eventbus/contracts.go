package main

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

// contract is what one event carries, over all programs: what those who make it
// write, and what its handlers read.
type contract struct {
	event   name
	makers  []*maker
	readers []*reader
	unseen  bool      // dispatched somewhere, as data that may be made out of sight
	doc     token.Pos // of the Event[T] variable that it is made or handled with, if any
}

// maker is a place that makes an event.
type maker struct {
	fn       *ssa.Function
	pos      token.Pos
	payloads []payload
	unknown  bool // there may be other payloads
}

// reader is a registration that covers an event, with the types that it reads
// the event's params into: none where it takes the data as it comes.
type reader struct {
	r     *registration
	types []types.Type
}

// contracts returns the contracts of all events with known names, sorted. What
// several programs share is there once.
func (a *model) contracts() []*contract {
	index := map[name]*contract{}
	at := func(s *site) *contract {
		if !s.known() || s.received != nil || s.domain == wild || s.action == wild {
			return &contract{}
		}
		if index[s.name] == nil {
			index[s.name] = &contract{event: s.name}
		}
		c := index[s.name]
		if !c.doc.IsValid() {
			c.doc = a.eventVar(s)
		}
		return c
	}
	for _, w := range a.wirings {
		for _, m := range w.made {
			c := at(&m.site)
			i := slices.IndexFunc(c.makers, func(o *maker) bool { return o.pos == m.place && funcName(o.fn) == funcName(m.fn) })
			if i < 0 {
				i = len(c.makers)
				c.makers = append(c.makers, &maker{fn: m.fn, pos: m.place})
			}
			mk := c.makers[i]
			for _, p := range m.payloads {
				if !slices.ContainsFunc(mk.payloads, p.same) {
					mk.payloads = append(mk.payloads, p)
				}
			}
			mk.unknown = mk.unknown || m.unknown
		}
		for _, d := range w.dispatches {
			c := at(&d.site)
			c.unseen = true
		}
		for _, r := range w.registrations {
			at(&r.site)
		}
	}
	out := slices.SortedFunc(maps.Values(index), func(x, y *contract) int {
		return cmp.Or(cmp.Compare(x.event.domain, y.event.domain), cmp.Compare(x.event.action, y.event.action))
	})
	for i, w := range a.wirings {
		consumers := a.consumers(i)
		for _, c := range out {
			for _, r := range w.registrations {
				if !r.known() || r.received != nil || !r.covers(c.event) {
					continue
				}
				j := slices.IndexFunc(c.readers, func(o *reader) bool {
					return o.r.handler == r.handler && o.r.place == r.place && o.r.name == r.name
				})
				if j < 0 {
					j = len(c.readers)
					c.readers = append(c.readers, &reader{r: r})
				}
				rd := c.readers[j]
				for _, k := range consumers {
					if k.r == r && a.reads(i, k, c.event) && !slices.ContainsFunc(rd.types, func(t types.Type) bool { return types.Identical(t, k.typ) }) {
						rd.types = append(rd.types, k.typ)
					}
				}
			}
		}
	}
	for _, c := range out {
		c.unseen = c.unseen && len(c.makers) == 0
		slices.SortStableFunc(c.makers, func(x, y *maker) int { return a.src.compare(x.pos, y.pos) })
	}
	return out
}

// same reports whether p and q are of one type. Texts and map literals may hold
// different fields each time.
func (p payload) same(q payload) bool {
	return p.none == q.none && p.json == q.json && p.keys == nil && q.keys == nil &&
		(p.typ == q.typ || p.typ != nil && q.typ != nil && types.Identical(p.typ, q.typ))
}

// eventVar returns where the package-level Event[T] is declared that a site
// names its event with.
func (a *model) eventVar(s *site) token.Pos {
	c, ok := s.instr.(ssa.CallInstruction)
	if !ok {
		return token.NoPos
	}
	for _, arg := range c.Common().Args {
		if load, ok := arg.(*ssa.UnOp); ok && load.Op == token.MUL {
			if g, ok := load.X.(*ssa.Global); ok && a.bus.isType(deref(g.Type()), "Event") {
				return g.Pos()
			}
		}
	}
	return token.NoPos
}

// compare orders places by file, line and column, which unlike the places
// themselves don't depend on the order of loading.
func (s *source) compare(x, y token.Pos) int {
	p, q := s.fset.Position(x), s.fset.Position(y)
	return cmp.Or(cmp.Compare(p.Filename, q.Filename), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// packageAt returns the package whose source holds pos, or nil.
func (s *source) packageAt(pos token.Pos) *packages.Package {
	file := s.fset.Position(pos).Filename
	for _, p := range s.pkgs {
		if slices.Contains(p.CompiledGoFiles, file) {
			return p
		}
	}
	return nil
}

// portable returns pos as file:line for files that leave the machine: relative
// to where the program was loaded, and for what lies elsewhere by import path.
func (s *source) portable(pos token.Pos) string {
	if !pos.IsValid() {
		return ""
	}
	p := s.fset.Position(pos)
	file := s.relFile(p.Filename)
	if filepath.IsAbs(filepath.FromSlash(file)) {
		file = path.Base(file)
		if pkg := s.packageAt(pos); pkg != nil {
			file = pkg.PkgPath + "/" + file
		}
	}
	return fmt.Sprintf("%s:%d", file, p.Line)
}

// shortPath returns an import path without the module's.
func (s *source) shortPath(pkg string) string {
	meta := s.graph[pkg]
	if meta == nil || meta.Module == nil {
		return pkg
	}
	if rest, ok := strings.CutPrefix(pkg, meta.Module.Path+"/"); ok {
		return rest
	}
	return path.Base(pkg)
}
