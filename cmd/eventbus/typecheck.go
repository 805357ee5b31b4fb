package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

// typeCheck reads the packages in want from source, and the types of all they
// import from the build cache. go/packages can do both, but has every package
// compiled for it, those read from source too, which on a fresh checkout takes
// ten times as long as all the rest.
func (s *source) typeCheck(ctx context.Context, cfg packages.Config, want []string) ([]*packages.Package, error) {
	mine := map[string]bool{}
	for _, path := range want {
		mine[path] = true
		if _, cgo := s.graph[path].Imports["C"]; cgo {
			cfg.Mode = modeTypes
			return packages.Load(&cfg, want...)
		}
	}
	var deps []string
	seen := map[string]bool{}
	for _, path := range want {
		for _, imp := range s.graph[path].Imports {
			if p := imp.PkgPath; !mine[p] && !seen[p] && p != "unsafe" && p != "C" {
				seen[p] = true
				deps = append(deps, p)
			}
		}
	}
	known := map[string]*types.Package{"unsafe": types.Unsafe}
	if len(deps) > 0 {
		cfg.Mode = packages.LoadTypes
		loaded, err := packages.Load(&cfg, deps...)
		if err != nil {
			return nil, err
		}
		for _, p := range loaded {
			if p.Types != nil {
				known[p.PkgPath] = p.Types
			}
		}
	}
	type job struct {
		p    *packages.Package
		done chan struct{}
	}
	jobs := map[string]*job{}
	for _, path := range want {
		meta := s.graph[path]
		p := &packages.Package{
			ID: meta.ID, Name: meta.Name, PkgPath: path, Module: meta.Module, Fset: s.fset, Imports: meta.Imports,
			GoFiles: meta.GoFiles, CompiledGoFiles: meta.GoFiles, Errors: meta.Errors,
		}
		jobs[path] = &job{p, make(chan struct{})}
	}
	// A package waits for those that come before it in this order: not for itself,
	// where packages import each other in a circle.
	order := map[string]int{}
	visited := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		if jobs[path] == nil || visited[path] {
			return
		}
		visited[path] = true
		for _, imp := range s.graph[path].Imports {
			visit(imp.PkgPath)
		}
		order[path] = len(order)
	}
	for _, path := range want {
		visit(path)
	}
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, path := range want {
		j := jobs[path]
		wg.Go(func() {
			defer close(j.done)
			for _, imp := range s.graph[path].Imports {
				if d := jobs[imp.PkgPath]; d != nil && order[imp.PkgPath] < order[path] {
					select {
					case <-d.done:
					case <-ctx.Done():
						return
					}
				}
			}
			limit <- struct{}{}
			defer func() { <-limit }()
			s.checkOne(j.p, func(path string) (*types.Package, error) {
				if imp := s.graph[j.p.PkgPath].Imports[path]; imp != nil {
					path = imp.PkgPath
				}
				if d := jobs[path]; d != nil && order[path] < order[j.p.PkgPath] && d.p.Types != nil {
					return d.p.Types, nil
				}
				if t := known[path]; t != nil {
					return t, nil
				}
				return nil, errors.New("could not import " + path)
			})
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []*packages.Package
	for _, path := range want {
		out = append(out, jobs[path].p)
	}
	return out, nil
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

// checkOne parses and type-checks one package whose imports are there.
func (s *source) checkOne(p *packages.Package, imports importer) {
	fail := func(pos token.Position, msg string, kind packages.ErrorKind) {
		p.Errors = append(p.Errors, packages.Error{Pos: pos.String(), Msg: msg, Kind: kind})
	}
	for _, file := range p.GoFiles {
		f, err := parser.ParseFile(s.fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if f != nil {
			p.Syntax = append(p.Syntax, f)
		}
		if list, ok := errors.AsType[scanner.ErrorList](err); ok {
			for _, e := range list {
				fail(e.Pos, e.Msg, packages.ParseError)
			}
		} else if err != nil {
			fail(token.Position{Filename: file}, err.Error(), packages.ParseError)
		}
	}
	p.TypesInfo = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Instances: map[*ast.Ident]types.Instance{}, Scopes: map[ast.Node]*types.Scope{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, FileVersions: map[*ast.File]string{},
	}
	p.TypesSizes = types.SizesFor("gc", runtime.GOARCH)
	conf := types.Config{
		Importer: imports,
		Sizes:    p.TypesSizes,
		Error: func(err error) {
			if e, ok := errors.AsType[types.Error](err); ok {
				fail(s.fset.Position(e.Pos), strings.TrimPrefix(e.Msg, "\t"), packages.TypeError)
			} else {
				fail(token.Position{}, err.Error(), packages.TypeError)
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	p.Types = types.NewPackage(p.PkgPath, p.Name)
	// Check reports by conf.Error.
	_ = types.NewChecker(&conf, s.fset, p.Types, p.TypesInfo).Files(p.Syntax)
}
