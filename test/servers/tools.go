package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Helm builds the program that renders charts, if need be, which takes some
// minutes, and returns where it is.
func Helm(t testing.TB) string {
	return tool(t, goProgram{"helm-4.3.1", "helm", "helm.sh/helm/v4", "v4.3.1", "/cmd/helm"})
}

// Kubeconform builds the program that checks manifests against schemas, if need
// be, and returns where it is.
func Kubeconform(t testing.TB) string {
	return tool(t, goProgram{"kubeconform-0.8.0", "kubeconform", "github.com/yannh/kubeconform", "v0.8.0", "/cmd/kubeconform"})
}

func tool(t testing.TB, p goProgram) string {
	t.Helper()
	fetched(t, p.name)
	program, err := fetchGo(context.Background(), p) // it is for all tests, whichever asks first
	return had(t, program, err)
}

// Module returns the folder of a Go module of which only the data is wanted.
// sum is what go.sum says of it.
func Module(t testing.TB, path, version, sum string) string {
	t.Helper()
	fetched(t, path)
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path+"@"+version)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &got); err != nil || e != nil {
		err = fmt.Errorf("go mod download %s: %v: %s", path, err, got.Error)
	}
	dir := had(t, got.Dir, err)
	if got.Sum != sum {
		t.Fatalf("%s %s: its sum is %s, want %s", path, version, got.Sum, sum)
	}
	return dir
}

// fetched skips a test that needs what must be fetched, and built, unless such
// tests are asked for.
func fetched(t testing.TB, name string) {
	t.Helper()
	if os.Getenv("SLUICE_TEST_DEPLOY") == "" {
		t.Skipf("%s is fetched and built for it, which takes some minutes: make test-deploy", name)
	}
}

// had skips a test for which something cannot be had, or fails it where all
// must run.
func had[T any](t testing.TB, what T, err error) T {
	t.Helper()
	switch {
	case err == nil:
		return what
	case os.Getenv("SLUICE_REQUIRE_SERVERS") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return what
}
