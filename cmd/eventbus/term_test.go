package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Colours and progress are for a person at a terminal: files, pipes and buffers
// get plain text, and NO_COLOR keeps colours off a terminal too.
func TestTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if terminal(&bytes.Buffer{}) || coloured(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if terminal(file) || coloured(file) {
		t.Error("a file is taken for a terminal")
	}
	device, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal to be had: %v", err)
	}
	t.Cleanup(func() { device.Close() })
	if !terminal(device) || !coloured(device) {
		t.Error("a terminal isn't taken for one")
	}
	t.Setenv("NO_COLOR", "1")
	if !terminal(device) || coloured(device) {
		t.Error("NO_COLOR is about colours, and isn't respected")
	}
	t.Setenv("TERM", "dumb")
	if terminal(device) {
		t.Error("a dumb terminal can't erase a progress line")
	}
}

func TestListInColour(t *testing.T) {
	l := listing{Events: []eventEntry{{Event: "user/created"}}}
	var plain, colour bytes.Buffer
	l.print(&plain, false)
	l.print(&colour, true)
	if strings.Contains(plain.String(), "\033") || !strings.Contains(colour.String(), "\033[1muser/created\033[0m") {
		t.Errorf("plain %q, in colour %q", plain.String(), colour.String())
	}
}
