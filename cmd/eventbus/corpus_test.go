package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var wantComment = regexp.MustCompile(`// want(\+1)?: (error|warning) (\w+)(?: (error|warning) (\w+))?`)

// wanted reads the findings that the comments in a folder ask for, each as
// file:line: severity check.
func wanted(t *testing.T, root, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(root, dir), func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		for i, line := range strings.Split(string(src), "\n") {
			if m := wantComment.FindStringSubmatch(line); m != nil {
				n := i + 1 + len(m[1])/2
				out = append(out, fmt.Sprintf("%s:%d: %s %s", filepath.ToSlash(rel), n, m[2], m[3]))
				if m[4] != "" {
					out = append(out, fmt.Sprintf("%s:%d: %s %s", filepath.ToSlash(rel), n, m[4], m[5]))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// found runs all checks on the programs of one folder.
func found(s *source, dir string) (short []string, long []finding) {
	one := *s
	one.named = map[string]bool{}
	for p := range s.named {
		if rel := strings.TrimPrefix(p, "corpus.test/"); rel == dir || strings.HasPrefix(rel, dir+"/") {
			one.named[p] = true
		}
	}
	on := map[string]bool{}
	for _, n := range checkNames {
		on[n] = true
	}
	long = analyze(&one).run(on)
	for _, f := range long {
		severity := "error"
		if f.Warning {
			severity = "warning"
		}
		line := f.Place[:strings.LastIndexByte(f.Place, ':')]
		short = append(short, fmt.Sprintf("%s: %s %s", line, severity, f.Check))
	}
	slices.Sort(short)
	return short, long
}

// TestCorpus checks that of the defects seeded in testdata/corpus/bad all are
// found, and that nothing is reported that isn't one, there and in the programs
// of testdata/corpus/good, which look suspicious and are right. It prints recall
// and precision.
func TestCorpus(t *testing.T) {
	t.Setenv("GOWORK", "off") // the corpus is a module of its own
	root := "testdata/corpus"
	s, err := load(t.Context(), root, "", []string{"./..."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.broken) > 0 {
		t.Fatalf("the corpus must compile: %v", s.broken)
	}
	type score struct{ seeded, hit, false_ int }
	scores := map[string]*score{}
	at := func(entry string) *score {
		check := entry[strings.LastIndexByte(entry, ' ')+1:]
		if scores[check] == nil {
			scores[check] = &score{}
		}
		return scores[check]
	}
	programs := map[string]int{}
	for _, kind := range []string{"bad", "good"} {
		dirs, err := os.ReadDir(filepath.Join(root, kind))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dirs {
			programs[kind]++
			dir := path.Join(kind, d.Name())
			t.Run(dir, func(t *testing.T) {
				want := wanted(t, root, dir)
				if (kind == "bad") != (len(want) > 0) {
					t.Errorf("%s programs have %d seeded defects here", kind, len(want))
				}
				got, long := found(s, dir)
				rest := slices.Clone(got)
				for _, w := range want {
					at(w).seeded++
					if i := slices.Index(rest, w); i >= 0 {
						at(w).hit++
						rest = slices.Delete(rest, i, i+1)
					} else {
						t.Errorf("not found: %s", w)
					}
				}
				for _, g := range rest {
					at(g).false_++
					t.Errorf("false: %s", g)
				}
				if t.Failed() {
					for _, f := range long {
						t.Log(f)
					}
				}
			})
		}
	}
	if programs["bad"] < 60 || programs["good"] < 30 {
		t.Errorf("the corpus has %d programs with defects and %d without; want at least 60 and 30", programs["bad"], programs["good"])
	}
	var all score
	for _, check := range slices.Sorted(maps.Keys(scores)) {
		s := scores[check]
		all.seeded, all.hit, all.false_ = all.seeded+s.seeded, all.hit+s.hit, all.false_+s.false_
		t.Logf("%-13s recall %3d/%3d  false alarms %d", check, s.hit, s.seeded, s.false_)
	}
	for _, check := range checkNames {
		if scores[check] == nil {
			t.Errorf("no program has a defect for %s", check)
		}
	}
	t.Logf("%d programs with defects, %d without: recall %.1f %%, precision %.1f %%", programs["bad"], programs["good"],
		100*float64(all.hit)/float64(max(all.seeded, 1)), 100*float64(all.hit)/float64(max(all.hit+all.false_, 1)))
}
