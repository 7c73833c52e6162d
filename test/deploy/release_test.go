package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sluice/test/servers"
)

// repository makes a repository of what there is, with a tag, in dir.
func repository(t *testing.T, dir string) {
	t.Helper()
	for _, path := range []string{"cmd", "deploy", "internal", "pipeline", "sinks", "sources", "transforms"} {
		if err := os.CopyFS(filepath.Join(dir, path), os.DirFS("../../"+path)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "README.md", "CHANGELOG.md", "config.yaml", ".gitignore"} {
		text, err := os.ReadFile("../../" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "release"}, {"tag", "v1.2.3"}} {
		git(t, dir, args...)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// made makes a release in a repository, and returns its files.
func made(t *testing.T, dir, platforms string) (map[string][]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./deploy/release", "-platforms", platforms)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	entries, err := os.ReadDir(dir + "/dist")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, "dist", e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files, nil
}

// TestReleasesOfACommitAreTheSameBytes makes one twice, in repositories at
// different places: for this machine, or, if it may take long, for all.
func TestReleasesOfACommitAreTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program several times")
	}
	platforms := []string{"linux/" + runtime.GOARCH}
	if os.Getenv("SLUICE_TEST_FAULTS") != "" {
		platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}
	}
	dir := t.TempDir()
	first, second := filepath.Join(dir, "one"), filepath.Join(dir, "another", "place")
	repository(t, first)
	git(t, dir, "clone", "-q", first, second)
	files, err := made(t, first, strings.Join(platforms, ","))
	if err != nil {
		t.Fatal(err)
	}
	again, err := made(t, second, strings.Join(platforms, ","))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"SHA256SUMS", "sluice-chart-1.2.3.tgz"}
	for _, p := range platforms {
		name := "sluice-v1.2.3-" + strings.ReplaceAll(p, "/", "-")
		want = append(want, name+".cdx.json", name+".tar.gz")
	}
	for _, name := range want {
		if len(files[name]) == 0 || !bytes.Equal(files[name], again[name]) {
			t.Errorf("%s: got %d bytes, and then %d, want the same and some", name, len(files[name]), len(again[name]))
		}
	}
	if len(files) != len(want) || len(again) != len(want) {
		t.Errorf("got %d files and %d, want %d", len(files), len(again), len(want))
	}
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	sums.Dir = first + "/dist"
	if out, err := sums.CombinedOutput(); err != nil || bytes.Count(files["SHA256SUMS"], []byte("\n")) != len(want)-1 {
		t.Errorf("sha256sum: %v\n%s\n%s", err, out, files["SHA256SUMS"])
	}
	for _, p := range platforms {
		name := "sluice-v1.2.3-" + strings.ReplaceAll(p, "/", "-")
		archived(t, p, untar(t, files[name+".tar.gz"], name))
		t.Run(p+" bill", func(t *testing.T) { billed(t, files[name+".cdx.json"]) })
	}
	t.Run("chart", func(t *testing.T) { charted(t, first+"/dist/sluice-chart-1.2.3.tgz") })

	// Nobody could make again what is not committed.
	if err := os.WriteFile(first+"/cmd/sluice/more.go", []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := made(t, first, platforms[0]); err == nil || !strings.Contains(err.Error(), "not committed") {
		t.Errorf("with a change: got %v", err)
	}
}

// untar unpacks an archive, all of which is in a folder.
func untar(t *testing.T, archive []byte, folder string) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files, r := map[string][]byte{}, tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, folder+"/")
		if program := name == "sluice"; !ok || h.Uid != 0 || h.Uname != "" || program != (h.Mode == 0o755) {
			t.Errorf("%s: mode %o of %d %q", h.Name, h.Mode, h.Uid, h.Uname)
		}
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// archived checks what is in the archive of a platform.
func archived(t *testing.T, platform string, files map[string][]byte) {
	t.Helper()
	for _, name := range []string{"sluice", "LICENSE", "README.md", "CHANGELOG.md", "config.yaml", "completions/sluice.bash", "completions/_sluice",
		"completions/sluice.fish", "man/man1/sluice.1", "man/man1/sluice-run.1"} {
		if len(files[name]) == 0 {
			t.Errorf("%s: no %s", platform, name)
		}
	}
	if _, ok := files["sluice.service"]; ok != strings.HasPrefix(platform, "linux/") {
		t.Errorf("%s: has a unit for systemd: %v", platform, ok)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/sluice.bash", files["completions/sluice.bash"], 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", dir+"/sluice.bash").CombinedOutput(); err != nil {
		t.Errorf("completion of bash: %v\n%s", err, out)
	}
	if platform != runtime.GOOS+"/"+runtime.GOARCH {
		return
	}
	if err := os.WriteFile(dir+"/sluice", files["sluice"], 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), dir+"/sluice", "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "sluice v1.2.3\ncommit ") {
		t.Errorf("version: %v\n%s", err, out)
	}
}

// billed checks a bill of materials.
func billed(t *testing.T, bom []byte) {
	t.Helper()
	schemas := servers.Module(t, "github.com/CycloneDX/cyclonedx-go", "v0.12.0", "h1:/7Jum36UA6V043tQZ/fE3jf+Nf9gn/qxUFfd7QReMy8=") + "/schema"
	check := func(bom []byte) error {
		cmd := exec.CommandContext(t.Context(), program(t, "bom"), schemas)
		cmd.Stdin = bytes.NewReader(bom)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := check(bom); err != nil {
		t.Errorf("%v\n%s", err, bom)
	}
	if check(bytes.Replace(bom, []byte(`"library"`), []byte(`"liberty"`), 1)) == nil {
		t.Error("a bill that is wrong was taken")
	}
	var b struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(bom, &b); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range b.Components {
		names = append(names, c.Name)
	}
	for _, want := range []string{"std", "go.etcd.io/bbolt", "github.com/aws/aws-sdk-go-v2/service/s3"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %q", want, names)
		}
	}
	if slices.Contains(names, "go.uber.org/goleak") {
		t.Error("what only tests need is in it")
	}
}

// charted checks the archive of the chart.
func charted(t *testing.T, path string) {
	t.Helper()
	out, ok := helm(t, "template", "sluice", path, "-f", chart+"/ci/job-values.yaml")
	if !ok || !strings.Contains(out, "image: sluice:1.2.3\n") || !strings.Contains(out, "helm.sh/chart: sluice-1.2.3\n") {
		t.Errorf("got %v\n%s", ok, out)
	}
}
