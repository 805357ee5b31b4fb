package main

import (
	"os"
	"strings"
	"testing"
)

func Example() {
	main()
	// Output:
	// mail to ann@example.org
	// <nil>
	// user/created: handler main.sendWelcome: no address
}

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
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("README.md shows another program than examples/quickstart/main.go")
	}
	const output = "mail to ann@example.org\n<nil>\nuser/created: handler main.sendWelcome: no address\n"
	if !strings.Contains(string(readme), "```text\n"+output+"```\n") {
		t.Error("README.md shows another output than that of Example")
	}
}
