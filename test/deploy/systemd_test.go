package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unit is the text of the unit, and where a copy of it is whose program exists.
func unit(t *testing.T) (text, path string) {
	t.Helper()
	b, err := os.ReadFile(folder + "/systemd/sluice.service")
	if err != nil {
		t.Fatal(err)
	}
	text = string(b)
	path = filepath.Join(t.TempDir(), "sluice.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/local/bin/sluice", program(t, "sluice"))), 0o644); err != nil {
		t.Fatal(err)
	}
	return text, path
}

func TestSystemdTakesTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze")
	}
	_, path := unit(t)
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// From 0, shut in, to 100, as root.
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=15", path).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

func TestTheUnitRunsAsPodsDo(t *testing.T) {
	text, _ := unit(t)
	for _, want := range []string{
		"\nMemoryMax=138M\n", // as the chart makes of 80MiB
		"\nTimeoutStopSec=30\n",
		"\nRestart=on-failure\n",
		"\nRestartPreventExitStatus=2 3\n",
		"\nSuccessExitStatus=4\n",
		"\nDynamicUser=yes\n",
		"\nWorkingDirectory=/var/lib/sluice\n",
		"\nStateDirectory=sluice\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the unit does not contain %q", want)
		}
	}
	// The command line is one that the program understands.
	line := regexp.MustCompile(`(?m)^ExecStart=\S+ (.*)$`).FindStringSubmatch(text)
	out, err := exec.CommandContext(t.Context(), program(t, "sluice"), append(strings.Fields(line[1]), "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
