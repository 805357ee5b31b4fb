package main

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzLines holds lines to a naive reader that has all of the input at once. The
// first line begins with spaces, to be long in an input that is short.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		string(ownCommands), "", "\r", "\n\n", "\r\n \t\n{}", "null\nnot\n",
		`{"do": "order", "order": "o-1", "user": "u", "card": "c", "items": [{"sku": "mug", "quantity": 1}, null]}`,
		`{"do": "ship", "order": "o-1"} {"do": "ship"}` + "\n" + `{"do": "ship", "order": "o-1"}`,
	} {
		f.Add([]byte(seed), uint32(0))
		f.Add([]byte(seed), uint32(maxLine))
	}
	f.Fuzz(func(t *testing.T, input []byte, spaces uint32) {
		input = append(bytes.Repeat([]byte(" "), int(spaces%(2*maxLine))), input...)
		var got []line
		for l, err := range lines(bytes.NewReader(input)) {
			if err != nil {
				t.Fatalf("reading from memory failed: %v", err)
			}
			got = append(got, l)
		}
		texts := bytes.Split(input, []byte("\n"))
		for i, text := range texts {
			if i < len(texts)-1 { // a line that the input's end cuts off has no line end
				text = bytes.TrimSuffix(text, []byte("\r"))
			}
			tooLong := len(text) > maxLine
			if !tooLong && len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			if len(got) == 0 {
				t.Fatalf("line %d is missing", i+1)
			}
			l := got[0]
			got = got[1:]
			if l.number != i+1 {
				t.Fatalf("line %d, want %d", l.number, i+1)
			}
			if (l.command == nil) == (l.err == nil) {
				t.Fatalf("line %d is command %v and error %v, want one of them", l.number, l.command, l.err)
			}
			if tooLong {
				if l.err == nil || !strings.Contains(l.err.Error(), "longer than") {
					t.Fatalf("line %d has %d bytes; error %v", l.number, len(text), l.err)
				}
				continue
			}
			if c, err := parse(text); (c == nil) != (l.command == nil) {
				t.Fatalf("line %d alone: %v, %v; among others: %v, %v", l.number, c, err, l.command, l.err)
			}
			if l.err != nil && (len(l.err.Error()) > 400 || strings.ContainsAny(l.err.Error(), "\n\r\x1b")) {
				t.Fatalf("line %d: error %q is long, has several lines or an escape", l.number, l.err)
			}
			if l.command != nil && strings.ContainsAny(l.command.String(), "\n\r\x1b") {
				t.Fatalf("line %d: command %q has several lines or an escape", l.number, l.command)
			}
		}
		if len(got) > 0 {
			t.Fatalf("lines that aren't there: %v", got)
		}
	})
}
