package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asyncProgram copies testdata/asyncapi/program to a module with a bus.
func asyncProgram(t *testing.T) string {
	t.Helper()
	t.Setenv("GOWORK", "off")
	files := map[string]string{}
	root := "testdata/asyncapi/program"
	err := filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		src, err := os.ReadFile(file)
		rel, _ := filepath.Rel(root, file)
		files[filepath.ToSlash(rel)] = string(src)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree(t, withBus(t, files))
}

func asyncOf(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	status, out, errs := runIn(t, dir, append([]string{"asyncapi"}, args...)...)
	if status != 0 || errs != "" {
		t.Fatalf("asyncapi: status %d, %s", status, errs)
	}
	return []byte(out)
}

func TestAsyncAPIGolden(t *testing.T) {
	dir := asyncProgram(t)
	got := asyncOf(t, dir, "-release", "1.2.3", "./shop")
	if again := asyncOf(t, dir, "-release", "1.2.3", "./shop"); !bytes.Equal(got, again) {
		t.Errorf("the second document is another:\n%s", cmp.Diff(string(got), string(again)))
	}
	file := "testdata/asyncapi/golden.json"
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the document is not the golden one, -want +got (go test -run Golden -update writes it anew):\n%s", diff)
	}
	if strings.Contains(string(got), filepath.ToSlash(dir)) {
		t.Error("the document holds a path of this machine")
	}
}

// What the golden file says that matters most, said again by hand.
func TestAsyncAPIDocument(t *testing.T) {
	var doc any
	if err := json.Unmarshal(asyncOf(t, asyncProgram(t), "./shop"), &doc); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) any {
		v := doc
		for _, p := range path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		return v
	}
	order := []string{"components", "schemas", "order.Order"}
	for _, tt := range []struct {
		says string
		path []string
		want any
	}{
		{"the address is the event's name", []string{"channels", "order.placed", "address"}, "order/placed"},
		{"an Event variable's comment describes the channel", []string{"channels", "order.placed", "description"}, "Placed is sent when a customer has paid."},
		{"the one program's path is the title", []string{"info", "title"}, "m.test/shop"},
		{"a version that nobody knows", []string{"info", "version"}, "0.0.0"},
		{"who makes an event sends it", []string{"operations", "order.sends.order.placed", "action"}, "send"},
		{"who handles an event receives it", []string{"operations", "mail.receives.order.placed", "action"}, "receive"},
		{"a handler's comment describes the operation", []string{"operations", "mail.receives.payment.failed", "description"}, "remind asks to pay in another way."},
		{"an event without payload has none", []string{"channels", "shop.closed", "messages", "empty", "payload"}, nil},
		{"an event made elsewhere is what is read", []string{"channels", "payment.failed", "messages", "mail.failure", "payload", "$ref"}, "#/components/schemas/mail.failure"},
		{"a type's comment", append(order, "description"), "Order is what somebody bought.\n\nIt has at least one item."},
		{"a field's comment at the end of its line", append(order, "properties", "total", "description"), "in cents"},
		{"a field's comment above", append(order, "properties", "at", "description"), "At is the time in the shop's zone."},
		{"a time", append(order, "properties", "at", "format"), "date-time"},
		{"a struct is referred to", append(order, "properties", "first", "$ref"), "#/components/schemas/order.Item"},
		{"a number in a string", append(order, "properties", "big", "type"), "string"},
		{"bytes", append(order, "properties", "photo", "contentEncoding"), "base64"},
		{"what a pointer with omitempty points to", append(order, "properties", "worst", "$ref"), "#/components/schemas/order.Item"},
		{"a field that is skipped", append(order, "properties", "Skipped"), nil},
		{"a map literal's fields", []string{"channels", "order.cancelled", "messages", "payload", "payload", "required"}, []any{"id", "when"}},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, at(tt.path...)); diff != "" {
				t.Errorf("%s: -want +got\n%s", strings.Join(tt.path, "."), diff)
			}
		})
	}
	required, _ := at(append(order, "required")...).([]any)
	for name, want := range map[string]bool{"id": true, "worst": false, "street": false, "at": true, "optional": false, "best": true} {
		if slices.Contains(required, any(name)) != want {
			t.Errorf("required has %q: %t, want %t", name, !want, want)
		}
	}
}

// The schemas accept whatever encoding/json makes of the types, and not much
// else.
func TestAsyncAPISchemasFitPayloads(t *testing.T) {
	dir := asyncProgram(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asyncOf(t, dir, "./shop")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	if err := compiler.AddResource("doc.json", doc); err != nil {
		t.Fatal(err)
	}
	order, err := compiler.Compile("doc.json#/components/schemas/order.Order")
	if err != nil {
		t.Fatal(err)
	}
	cancelled, err := compiler.Compile("doc.json#/channels/order.cancelled/messages/payload/payload")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./shop")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	orders := 0
	for line := range strings.Lines(string(out)) {
		event, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		schema := map[string]*jsonschema.Schema{"order/placed": order, "order/cancelled": cancelled}[event]
		if schema == nil {
			continue
		}
		decode := func() any {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(params))
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if err := schema.Validate(decode()); err != nil {
			t.Errorf("%s: the schema refuses %s: %v", event, params, err)
		}
		if event != "order/placed" {
			continue
		}
		orders++
		v := decode().(map[string]any)
		v["right"] = json.Number("65536")
		if schema.Validate(v) == nil {
			t.Error("the schema accepts 65536 as a uint16")
		}
		for field, bad := range map[string]any{
			"id": json.Number("1"), "total": json.Number("1.5"), "left": json.Number("128"), "right": json.Number("-1"), "big": json.Number("1"),
			"codes": []any{json.Number("1")}, "first": nil, "prices": []any{}, "Items": map[string]any{}, "tree": map[string]any{"name": ""}, "at": nil,
		} {
			v := decode().(map[string]any)
			v[field] = bad
			if schema.Validate(v) == nil {
				t.Errorf("the schema accepts %v as %s", bad, field)
			}
			v = decode().(map[string]any)
			delete(v, field)
			if schema.Validate(v) == nil {
				t.Errorf("the schema accepts an order without %s", field)
			}
		}
	}
	if orders != 3 {
		t.Errorf("%d orders were seen, want 3", orders)
	}
}

// TestAsyncAPIOfficialSchema validates documents with the schema that the
// AsyncAPI project publishes.
func TestAsyncAPIOfficialSchema(t *testing.T) {
	required := slices.Contains(strings.Split(os.Getenv("EVENTBUS_REQUIRE"), ","), "npm")
	skip := func(format string, args ...any) {
		t.Helper()
		if required {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		skip("there is no npm to fetch the schema with: %v", err)
	}
	tmp := t.TempDir()
	pack := exec.CommandContext(t.Context(), npm, "pack", "--silent", "--fetch-retries=1", "--fetch-timeout=60000", "@asyncapi/specs@6.11.1")
	pack.Dir = tmp
	if out, err := pack.CombinedOutput(); err != nil {
		skip("the schema can't be fetched: %v\n%s", err, out)
	}
	archives, _ := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if len(archives) != 1 {
		t.Fatalf("npm pack left %v", archives)
	}
	schema := schemaIn(t, archives[0], "package/schemas/3.0.0.json")
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("http://asyncapi.com/definitions/3.0.0/asyncapi.json", schema); err != nil {
		t.Fatal(err)
	}
	official, err := compiler.Compile("http://asyncapi.com/definitions/3.0.0/asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs("testdata/corpus")
	if err != nil {
		t.Fatal(err)
	}
	dir := asyncProgram(t)
	for _, tt := range []struct{ name, dir, packages string }{
		{"program", dir, "./shop"},
		{"library", dir, "./order"},
		{"corpus", abs, "./..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asyncOf(t, tt.dir, tt.packages)))
			if err != nil {
				t.Fatal(err)
			}
			if err := official.Validate(doc); err != nil {
				t.Errorf("the official schema refuses the document: %v", err)
			}
			resolve(t, doc, doc)
			doc.(map[string]any)["operations"].(map[string]any)["x"] = map[string]any{"action": "shout", "channel": map[string]any{"$ref": "#/channels/x"}}
			if official.Validate(doc) == nil {
				t.Error("the official schema accepts an action that there is none of: it isn't looked at")
			}
		})
	}
}

// schemaIn reads a schema from an npm package.
func schemaIn(t *testing.T, archive, name string) any {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if err != nil {
			t.Fatalf("%s is not in %s: %v", name, archive, err)
		}
		if h.Name == name {
			v, err := jsonschema.UnmarshalJSON(files)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
}

// resolve checks that every $ref within a document leads somewhere.
func resolve(t *testing.T, doc, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			at := doc
			for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, e := range v {
			resolve(t, doc, e)
		}
	case []any:
		for _, e := range v {
			resolve(t, doc, e)
		}
	}
}
