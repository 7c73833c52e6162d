package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built holds the programs of this repository that tests run.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "sluice-test-"); err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(built)
	os.Exit(status)
}

// building has a lock for each program, by name.
var building sync.Map

// program builds sluice, or a program of test/tools, for all tests.
func program(t *testing.T, name string) string {
	t.Helper()
	once, _ := building.LoadOrStore(name, sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-o", filepath.Join(built, name), "./"+name)
		if cmd.Dir = "../tools"; name == "sluice" {
			cmd.Dir = "../../cmd"
		}
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		return nil
	}))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(built, name)
}
