package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const reference = "../../docs/reference/commands.md"

// TestTheReferenceOfCommandsIsTheirHelp compares the page with what the commands
// say of themselves; -update writes it.
func TestTheReferenceOfCommandsIsTheirHelp(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Commands\n\nWhat `sluice COMMAND --help` says. `man sluice-COMMAND` says the same where the manual pages are installed.\n")
	root := newRoot()
	root.InitDefaultCompletionCmd()
	describe(t, &b, root)
	if *update {
		if err := os.WriteFile(reference, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(reference); err != nil || string(got) != b.String() {
		t.Errorf("%s is not what the commands say: go test ./cmd/sluice -run Reference -update (%v)", reference, err)
	}
}

// describe writes the help of a command, and of those below it.
func describe(t *testing.T, b *strings.Builder, cmd *cobra.Command) {
	t.Helper()
	if cmd.Hidden || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
		return
	}
	var help strings.Builder
	cmd.SetOut(&help)
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n## " + cmd.CommandPath() + "\n\n")
	for line := range strings.Lines(strings.TrimRight(help.String(), "\n") + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	for _, c := range cmd.Commands() {
		describe(t, b, c)
	}
}
