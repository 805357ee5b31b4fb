package main_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The README shows this program and what it prints, to the letter.
func TestREADMEShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), "go", "run", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]string{"program": "```go\n" + string(program), "output": "```text\n" + string(output)} {
		if !strings.Contains(string(readme), block+"```\n") {
			t.Errorf("README.md doesn't show this %s:\n%s", name, block)
		}
	}
}
