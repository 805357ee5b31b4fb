// Command move gives the repository another module path: in every go.mod and
// go.work, every import, every doc. Run it from the root of the repository:
//
//	go run ./cmd/move github.com/acme/eventbus
//
// It rewrites the text files below the current folder, hidden folders but .ci and
// .github left out, wherever the present path stands as a whole or as the
// beginning of a longer one, and formats the Go files anew. Nothing else changes:
// commit before, and look at the difference after.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: go run ./cmd/move NEW/MODULE/PATH")
		os.Exit(2)
	}
	n, err := move(".", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files rewritten; now run: go mod tidy && go test work\n", n)
}

var (
	modulePath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9][A-Za-z0-9._~-]*)*$`)
	directive  = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)"?\s*$`)
)

// move changes the module path of the repository at root, as its go.mod has it, to
// path, and returns how many files it has rewritten.
func move(root, path string) (n int, err error) {
	if !modulePath.MatchString(path) {
		return 0, fmt.Errorf("%q is not a module path", path)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return 0, fmt.Errorf("%w: run this from the root of the repository", err)
	}
	m := directive.FindSubmatch(mod)
	if m == nil {
		return 0, fmt.Errorf("%s has no module directive", filepath.Join(root, "go.mod"))
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && strings.HasPrefix(d.Name(), ".") && !slices.Contains([]string{".ci", ".github"}, d.Name()):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		before := text
		if text = replace(text, m[1], []byte(path)); bytes.Equal(text, before) {
			return nil
		}
		if filepath.Ext(name) == ".go" {
			if formatted, err := format.Source(text); err == nil { // test data may be broken on purpose
				text = formatted
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n++
		return os.WriteFile(name, text, info.Mode())
	})
	return n, err
}

// replace puts path wherever old stands in text and isn't part of a longer name.
func replace(text, old, path []byte) (out []byte) {
	for {
		i := bytes.Index(text, old)
		if i < 0 {
			return append(out, text...)
		}
		before, after := text[:i], text[i+len(old):]
		out = append(out, before...)
		if partOfName.Match(lastByte(out)) || len(after) > 0 && after[0] != '.' && partOfName.Match(after[:1]) {
			out = append(out, old...)
		} else {
			out = append(out, path...)
		}
		text = after
	}
}

var partOfName = regexp.MustCompile(`^[A-Za-z0-9._~-]$`)

func lastByte(b []byte) []byte { return b[max(0, len(b)-1):] }
