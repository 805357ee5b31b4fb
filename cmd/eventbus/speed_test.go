package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/go/packages"
)

// monolith writes a program of that many domains, with ten events each, every one
// made by a service, handled by two other domains, and wired from one main.
func monolith(t *testing.T, domains int) string {
	t.Helper()
	bus, err := os.ReadFile("testdata/corpus/vendor/bus.test/eventbus/eventbus.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module big.test\n\ngo 1.26.0\n")
	write("eventbus/eventbus.go", string(bus))
	var imports, wires strings.Builder
	for d := range domains {
		name := fmt.Sprintf("domain%03d", d)
		fmt.Fprintf(&imports, "\t%q\n", "big.test/"+name)
		fmt.Fprintf(&wires, "\t%s.New(bus).Wire()\n", name)
		var b strings.Builder
		fmt.Fprintf(&b, "package %s\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"net/http\"\n\n\t\"big.test/eventbus\"\n)\n\n", name)
		fmt.Fprintf(&b, "const domain = %q\n\ntype Service struct {\n\tbus *eventbus.Bus\n\tn   int\n}\n\n", name)
		b.WriteString("func New(bus *eventbus.Bus) *Service { return &Service{bus: bus} }\n\n")
		b.WriteString(`func (s *Service) emit(ctx context.Context, action string, v any) error {
	d, err := eventbus.NewData(domain, action, v)
	if err != nil {
		return fmt.Errorf("emit %s: %w", action, err)
	}
	return s.bus.Publish(ctx, d)
}

`)
		var wire strings.Builder
		wire.WriteString("func (s *Service) Wire() {\n")
		for e := range 10 {
			fmt.Fprintf(&b, "type Params%d struct {\n\tID string `json:\"id\"`\n\tTotal int `json:\"total\"`\n\tItems []struct{ SKU string; N int }\n}\n\n", e)
			fmt.Fprintf(&b, "func (s *Service) Do%d(w http.ResponseWriter, r *http.Request) {\n\tif err := s.emit(r.Context(), \"happened_%c\", Params%d{ID: r.URL.Path}); err != nil {\n\t\thttp.Error(w, err.Error(), 500)\n\t}\n}\n\n", e, 'a'+e, e)
			fmt.Fprintf(&b, "func (s *Service) on%d(ctx context.Context, p struct{ ID string }) error {\n\tfor i := range 10 {\n\t\tif i%%2 == s.n {\n\t\t\ts.n += len(p.ID)\n\t\t}\n\t}\n\treturn nil\n}\n\n", e)
			fmt.Fprintf(&wire, "\thttp.HandleFunc(\"/%s/%d\", s.Do%d)\n", name, e, e)
			for _, from := range []int{(d + 1) % domains, (d + 7) % domains} {
				fmt.Fprintf(&wire, "\teventbus.On(s.bus, \"domain%03d\", \"happened_%c\", s.on%d)\n", from, 'a'+e, e)
			}
		}
		write(name+"/"+name+".go", b.String()+wire.String()+"}\n")
	}
	write("main.go", "package main\n\nimport (\n"+imports.String()+"\n\t\"big.test/eventbus\"\n)\n\nfunc main() {\n\tbus := eventbus.New(nil)\n"+wires.String()+"}\n")
	return dir
}

// TestMonolith checks a program of 200 domains and 2,000 events, and measures it
// beside what go/packages alone needs for the same program. The figures are
// printed; only the right answer is insisted on, since machines differ.
func TestMonolith(t *testing.T) {
	t.Setenv("GOWORK", "off")
	domains := 200
	if testing.Short() {
		domains = 20
	}
	dir := monolith(t, domains)
	once := func() (plain, ours time.Duration, m *model) {
		start := time.Now()
		if _, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Dir: dir}, "./..."); err != nil {
			t.Fatal(err)
		}
		plain = time.Since(start)
		runtime.GC()
		start = time.Now()
		s, err := load(t.Context(), dir, "", []string{"./..."}, nil)
		if err != nil {
			t.Fatal(err)
		}
		loaded := time.Since(start)
		m = analyze(s)
		on := map[string]bool{}
		for _, n := range checkNames {
			on[n] = true
		}
		if fs := m.run(on); len(fs) > 0 {
			t.Errorf("%d findings in a program without a defect, such as %v", len(fs), fs[0])
		}
		ours = time.Since(start)
		t.Logf("loading takes %v of it", loaded.Round(time.Millisecond))
		return plain, ours, m
	}
	once() // fills the build cache
	plain, ours, m := once()
	if n := len(m.list().Events); n != domains*10 {
		t.Errorf("%d events found, want %d", n, domains*10)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d domains, %d events: go/packages alone (LoadAllSyntax) %v, eventbus check %v, ratio %.2f; %d MB from the system", domains, domains*10,
		plain.Round(time.Millisecond), ours.Round(time.Millisecond), ours.Seconds()/plain.Seconds(), mem.Sys>>20)
}
