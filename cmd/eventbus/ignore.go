package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// ignoreComment is a //eventbus:ignore comment.
type ignoreComment struct {
	pos           token.Pos
	check, reason string // several checks stand with commas between them
	used          map[string]bool
}

func (c *ignoreComment) names(check string) bool {
	return slices.Contains(strings.Split(c.check, ","), check)
}

const ignorePrefix = "//eventbus:ignore"

// parseIgnore reads the text of a comment; ok is false where it is another one.
func parseIgnore(text string) (check, reason string, ok bool) {
	rest, ok := strings.CutPrefix(text, ignorePrefix)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", false
	}
	check, reason, _ = strings.Cut(strings.TrimSpace(rest), " ")
	return check, strings.TrimSpace(reason), true
}

type ignores map[string]map[int]*ignoreComment // by file and line

func findIgnores(fset *token.FileSet, files []*ast.File) ignores {
	out := ignores{}
	for _, f := range files {
		for _, g := range f.Comments {
			for _, c := range g.List {
				if check, reason, ok := parseIgnore(c.Text); ok {
					p := fset.Position(c.Pos())
					if out[p.Filename] == nil {
						out[p.Filename] = map[int]*ignoreComment{}
					}
					out[p.Filename][p.Line] = &ignoreComment{pos: c.Pos(), check: check, reason: reason, used: map[string]bool{}}
				}
			}
		}
	}
	return out
}

// silences reports whether a comment on the line of p, or right above it, names
// the check.
func (ig ignores) silences(check string, p token.Position) bool {
	lines := ig[p.Filename]
	if c := lines[p.Line]; c != nil && c.names(check) {
		c.used[check] = true
		return true
	}
	for l := p.Line - 1; lines[l] != nil; l-- {
		if lines[l].names(check) {
			lines[l].used[check] = true
			return true
		}
	}
	return false
}

// ignored is silences for one check of go vet.
func ignored(fset *token.FileSet, files []*ast.File, check string) func(token.Position) bool {
	ig := findIgnores(fset, files)
	return func(p token.Position) bool { return ig.silences(check, p) }
}

// applyIgnores drops what comments silence, and reports comments that are stale
// or say too little.
func (a *model) applyIgnores(on map[string]bool) {
	var files []*ast.File
	for _, p := range a.src.pkgs {
		for _, f := range p.Syntax {
			if a.mine[a.src.fset.Position(f.Package).Filename] {
				files = append(files, f)
			}
		}
	}
	ig := findIgnores(a.src.fset, files)
	a.findings = slices.DeleteFunc(a.findings, func(f finding) bool { return ig.silences(f.Check, f.pos) })
	if !on["ignore"] {
		return
	}
	for _, lines := range ig {
		for _, c := range lines {
			if c.check == "" {
				a.report("ignore", true, c.pos, "", "the comment names no check; write %s check reason", ignorePrefix)
				continue
			}
			if c.reason == "" {
				a.report("ignore", true, c.pos, "", "the comment gives no reason; write why %s doesn't matter here", c.check)
			}
			for check := range strings.SplitSeq(c.check, ",") {
				switch {
				case !slices.Contains(checkNames, check) || check == "ignore":
					a.report("ignore", true, c.pos, "", "there is no check %q to ignore; the checks are %s", check, strings.Join(checkNames[:len(checkNames)-1], ", "))
				case !c.used[check] && on[check] && len(a.src.broken) == 0 && c.reason != "":
					a.report("ignore", true, c.pos, "", "the comment silences nothing: %s finds nothing here; delete it", check)
				}
			}
		}
	}
}
