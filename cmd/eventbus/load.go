package main

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
)

// source is what was loaded: the packages that matter, as syntax, types and,
// where they import the bus, SSA.
type source struct {
	dir    string // places are relative to it
	fset   *token.FileSet
	prog   *ssa.Program
	pkgs   []*packages.Package // with syntax, sorted by path
	byPath map[string]*packages.Package
	graph  map[string]*packages.Package // everything that is imported, without syntax
	named  map[string]bool              // the packages that the patterns match, by path
	uses   map[string]bool              // the packages that import a bus, directly or not, by path
	broken []problem                    // what doesn't compile
	bad    map[string]bool              // the packages that don't compile, by path
	built  map[*ssa.Package]bool
	begins map[*token.File]map[token.Pos]token.Pos
}

// problem is a place in the source with something to say about it.
type problem struct{ place, text string }

// loadError is a reason not to start at all.
type loadError struct{ text string }

func (e *loadError) Error() string { return e.text }

const (
	modeGraph = packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedModule | packages.NeedFiles
	modeTypes = packages.LoadSyntax | packages.NeedModule
)

// load reads the packages that patterns match in dir, and those they import as
// far as the bus is concerned. Types of all other packages come from the build
// cache. Test files are left out.
func load(ctx context.Context, dir, tags string, patterns []string, env []string) (*source, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	fset := token.NewFileSet()
	cfg := &packages.Config{Context: ctx, Mode: modeGraph, Dir: abs, Env: env, Fset: fset}
	if tags != "" {
		cfg.BuildFlags = []string{"-tags=" + tags}
	}
	roots, err := packages.Load(cfg, patterns...)
	if err != nil {
		return nil, &loadError{explain(err.Error(), abs)}
	}
	s := &source{
		dir: abs, fset: fset,
		byPath: map[string]*packages.Package{}, graph: map[string]*packages.Package{},
		named: map[string]bool{}, uses: map[string]bool{}, bad: map[string]bool{}, built: map[*ssa.Package]bool{}, begins: map[*token.File]map[token.Pos]token.Pos{},
	}
	var failures []string
	for _, p := range roots {
		if len(p.GoFiles) == 0 && len(p.Errors) > 0 {
			for _, e := range p.Errors {
				if !strings.Contains(e.Msg, "build constraints exclude all Go files") {
					failures = append(failures, explain(e.Msg, abs))
				}
			}
			continue
		}
		s.named[p.PkgPath] = true
	}
	if len(s.named) == 0 {
		if len(failures) > 0 {
			return nil, &loadError{strings.Join(slices.Compact(failures), "\n")}
		}
		return nil, &loadError{fmt.Sprintf("no packages match %s in %s; name a folder with Go files, or ./... for all below", strings.Join(patterns, " "), abs)}
	}
	for _, f := range failures {
		s.broken = append(s.broken, problem{"", f})
	}
	want := s.choose(roots)
	if len(s.uses) == 0 && !slices.ContainsFunc(roots, func(p *packages.Package) bool { return busNamed(p.PkgPath, p.Name) }) {
		return nil, &loadError{"none of the packages imports an event bus (a package named eventbus, with a type Bus that has Register, Call and Publish)"}
	}
	if len(want) == 0 { // the bus alone
		s.build()
		return s, nil
	}
	loaded, err := s.typeCheck(ctx, *cfg, want)
	if err != nil {
		return nil, &loadError{explain(err.Error(), abs)}
	}
	s.take(loaded)
	s.build()
	return s, nil
}

// choose returns the packages that are read as source: those that import a bus,
// and their neighbours in the same modules, where names and helpers may live.
func (s *source) choose(roots []*packages.Package) []string {
	modules := map[string]bool{}
	var visit func(p *packages.Package) bool
	seen := map[*packages.Package]bool{}
	visit = func(p *packages.Package) bool {
		if seen[p] {
			return s.uses[p.PkgPath]
		}
		seen[p] = true
		s.graph[p.PkgPath] = p
		uses := false
		for _, imp := range p.Imports {
			if visit(imp) || busNamed(imp.PkgPath, imp.Name) {
				uses = true
			}
		}
		if uses {
			s.uses[p.PkgPath] = true
			if p.Module != nil {
				modules[p.Module.Path] = true
			}
		}
		return uses
	}
	for _, p := range roots {
		visit(p)
	}
	var want []string
	for path, p := range s.graph {
		near := p.Module != nil && modules[p.Module.Path] && (p.Module.Main || s.uses[path])
		if s.uses[path] || near || s.named[path] && p.Module == nil && !std(p) {
			want = append(want, path)
		}
	}
	slices.Sort(want)
	return want
}

func std(p *packages.Package) bool {
	return p.Module == nil && !strings.Contains(firstElem(p.PkgPath), ".")
}

func firstElem(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// busNamed reports whether a package of that path and name may hold a bus.
func busNamed(path, name string) bool {
	if name == "eventbus" {
		return true
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	if len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" { // example.com/eventbus/v2
		path = strings.TrimSuffix(path, "/"+last)
		last = path[strings.LastIndexByte(path, '/')+1:]
	}
	return last == "eventbus"
}

func (s *source) take(loaded []*packages.Package) {
	slices.SortFunc(loaded, func(a, b *packages.Package) int { return cmp.Compare(a.PkgPath, b.PkgPath) })
	said := map[problem]bool{}
	for _, p := range loaded {
		if meta := s.graph[p.PkgPath]; meta != nil {
			p.Module = meta.Module
		}
		if s.byPath[p.PkgPath] != nil {
			continue
		}
		s.byPath[p.PkgPath] = p
		s.pkgs = append(s.pkgs, p)
		for _, e := range p.Errors {
			s.bad[p.PkgPath] = true
			b := problem{s.rel(e.Pos), explain(e.Msg, s.dir)}
			if e.Pos == "" || e.Pos == "-" {
				b.place = p.PkgPath
			}
			if !said[b] {
				said[b] = true
				s.broken = append(s.broken, b)
			}
		}
	}
}

// build makes the SSA of the packages that import a bus and compile.
func (s *source) build() {
	s.prog = ssa.NewProgram(s.fset, ssa.InstantiateGenerics)
	made := map[*types.Package]bool{}
	for _, p := range s.pkgs {
		if p.Types == nil || s.bad[p.PkgPath] {
			continue
		}
		made[p.Types] = true
		s.prog.CreatePackage(p.Types, p.Syntax, p.TypesInfo, true)
	}
	var others func(p *types.Package)
	others = func(p *types.Package) {
		for _, imp := range p.Imports() {
			if !made[imp] {
				made[imp] = true
				s.prog.CreatePackage(imp, nil, nil, true)
				others(imp)
			}
		}
	}
	for _, p := range s.pkgs {
		if p.Types != nil {
			others(p.Types)
		}
	}
	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, p := range s.pkgs {
		if pkg := s.ssaOf(p); pkg != nil && s.uses[p.PkgPath] {
			s.built[pkg] = true
			wg.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				pkg.Build()
			})
		}
	}
	wg.Wait()
}

func (s *source) ssaOf(p *packages.Package) *ssa.Package {
	if p == nil || p.Types == nil || s.bad[p.PkgPath] {
		return nil
	}
	return s.prog.Package(p.Types)
}

// start returns where the call or the literal begins whose bracket is at pos,
// which is the place that SSA gives; people look for the name before it.
func (s *source) start(pos token.Pos) token.Pos {
	tf := s.fset.File(pos)
	if tf == nil {
		return pos
	}
	begins := s.begins[tf]
	if begins == nil {
		begins = map[token.Pos]token.Pos{}
		for _, p := range s.pkgs {
			for _, f := range p.Syntax {
				if s.fset.File(f.Package) != tf {
					continue
				}
				ast.Inspect(f, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						begins[n.Lparen] = n.Pos()
						if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && tf.Line(n.Pos()) != tf.Line(n.Lparen) {
							begins[n.Lparen] = sel.Sel.Pos()
						}
					case *ast.CompositeLit:
						begins[n.Lbrace] = n.Pos()
					}
					return true
				})
			}
		}
		s.begins[tf] = begins
	}
	if b, ok := begins[pos]; ok {
		return b
	}
	return pos
}

// place returns pos as file:line:column, with the file relative to the
// directory that the program was loaded in.
func (s *source) place(pos token.Pos) string {
	if !pos.IsValid() {
		return "-"
	}
	p := s.fset.Position(pos)
	return fmt.Sprintf("%s:%d:%d", s.relFile(p.Filename), p.Line, p.Column)
}

// line is place without the column.
func (s *source) line(pos token.Pos) string {
	p := s.place(pos)
	if i := strings.LastIndexByte(p, ':'); i > 0 {
		return p[:i]
	}
	return p
}

func (s *source) rel(place string) string {
	file, rest, _ := strings.Cut(place, ":")
	if rest == "" {
		return s.relFile(file)
	}
	return s.relFile(file) + ":" + rest
}

func (s *source) relFile(file string) string {
	if rel, err := filepath.Rel(s.dir, file); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(file)
}

// explain turns what the go command said into one line and adds what to do
// about the usual causes.
func explain(msg, dir string) string {
	var lines []string
	for l := range strings.Lines(msg) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	msg = strings.Join(lines, "; ")
	msg = strings.TrimPrefix(msg, "err: exit status 1: stderr: ")
	has := func(s string) bool { return strings.Contains(msg, s) }
	hint := ""
	switch {
	case has("go.work") && os.Getenv("GOWORK") != "" && os.Getenv("GOWORK") != "off":
		hint = "GOWORK is set to " + os.Getenv("GOWORK") + ": correct or unset it"
	case has("go.work") || has("not one of the workspace modules") || has("main module (") && has("does not contain package"):
		hint = "a go.work may leave this module out: add it there (go work use .) or set GOWORK=off"
	case has("GOFLAGS") || has("parsing $GOFLAGS"):
		hint = "GOFLAGS is " + fmt.Sprintf("%q", os.Getenv("GOFLAGS")) + ": correct or unset it"
	case has("inconsistent vendoring"):
		hint = "run go mod vendor, or set GOFLAGS=-mod=mod"
	case has("go.mod file not found"), has("cannot find main module"), has("outside available modules"), has("directory prefix . does not contain main module"):
		hint = "run it inside a Go module, or name one with -C"
	case has("executable file not found"):
		hint = "the go command has to be in PATH"
	}
	if hint != "" {
		msg += " (" + hint + ")"
	}
	return msg
}

// printBroken says what could not be read.
func (s *source) printBroken(w io.Writer) {
	for _, b := range s.broken {
		if b.place == "" {
			fmt.Fprintf(w, "eventbus: %s\n", b.text)
		} else {
			fmt.Fprintf(w, "%s: %s [load]\n", b.place, b.text)
		}
	}
}
