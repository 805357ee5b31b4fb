package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMove(t *testing.T) {
	before := map[string]string{
		"go.mod":               "module old.example/bus\n\ngo 1.26.0\n",
		"go.work":              "go 1.26.0\n\nuse .\n",
		"nested/go.mod":        "module old.example/bus/nested\n\nrequire old.example/bus v0.0.0\n\nreplace old.example/bus => ../\n",
		"a.go":                 "package a\n\nimport (\n\t\"old.example/bus\"\n\t\"old.example/bus/txn\"\n\n\t\"other.example/bus\"\n)\n",
		"sorted.go":            "package a\n\nimport (\n\t\"middle.example/x\"\n\t\"old.example/bus\"\n)\n",
		"README.md":            "`go get old.example/bus@latest`, see old.example/bus. And old.example/bus old.example/bus,old.example/bus/txn\n",
		"neighbours.md":        "old.example/business very.old.example/bus old.example/bus_test old.example/bus-x\n",
		".ci/run":              "echo old.example/bus\n",
		".github/workflows/ci": "run: old.example/bus\n",
		".git/config":          "old.example/bus\n",
		"picture.png":          "\x00old.example/bus\n",
		"broken.go":            "package ( \"old.example/bus\"\n",
	}
	want := map[string]string{
		"go.mod":               "module github.com/acme/events\n\ngo 1.26.0\n",
		"go.work":              before["go.work"],
		"nested/go.mod":        "module github.com/acme/events/nested\n\nrequire github.com/acme/events v0.0.0\n\nreplace github.com/acme/events => ../\n",
		"a.go":                 "package a\n\nimport (\n\t\"github.com/acme/events\"\n\t\"github.com/acme/events/txn\"\n\n\t\"other.example/bus\"\n)\n",
		"sorted.go":            "package a\n\nimport (\n\t\"github.com/acme/events\"\n\t\"middle.example/x\"\n)\n",
		"README.md":            "`go get github.com/acme/events@latest`, see github.com/acme/events. And github.com/acme/events github.com/acme/events,github.com/acme/events/txn\n",
		"neighbours.md":        before["neighbours.md"],
		".ci/run":              "echo github.com/acme/events\n",
		".github/workflows/ci": "run: github.com/acme/events\n",
		".git/config":          before[".git/config"],
		"picture.png":          before["picture.png"],
		"broken.go":            "package ( \"github.com/acme/events\"\n",
	}
	root := t.TempDir()
	for name, text := range before {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n, err := move(root, "github.com/acme/events")
	if err != nil {
		t.Fatal(err)
	}
	if n != 8 {
		t.Errorf("%d files rewritten, want 8", n)
	}
	got := map[string]string{}
	for name := range before {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the move (-want +got):\n%s", diff)
	}

	if _, err := move(root, "github.com/acme/events/v2"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "README.md")); err != nil || strings.Count(string(text), "events/v2") != 5 {
		t.Errorf("a path that begins with the old one: %s, %v", text, err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.HasPrefix(string(text), "module github.com/acme/events/v2\n") {
		t.Errorf("a path that begins with the old one: %s, %v", text, err)
	}
}

func TestMoveRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := move(dir, "github.com/acme/events"); err == nil || !strings.Contains(err.Error(), "root of the repository") {
		t.Errorf("without a go.mod: %v", err)
	}
	for _, path := range []string{"", "/abs", "a//b", "a b", "https://x.example/y", "a/", "-flag"} {
		if _, err := move(dir, path); err == nil || !strings.Contains(err.Error(), "not a module path") {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("go 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := move(dir, "a.example/b"); err == nil || !strings.Contains(err.Error(), "no module directive") {
		t.Errorf("a go.mod without a module: %v", err)
	}
}
