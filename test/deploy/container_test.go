package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/test/servers"
)

// stage is one of a Dockerfile.
type stage struct {
	from, name string
	steps      []step
}

type step struct{ word, rest string }

// last returns what the last step with a word says.
func (s stage) last(word string) (rest string) {
	for _, st := range s.steps {
		if st.word == word {
			rest = st.rest
		}
	}
	return rest
}

// dockerfile reads the stages of deploy/Dockerfile.
func dockerfile(t *testing.T) map[string]stage {
	t.Helper()
	text, err := os.ReadFile(folder + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages, name := map[string]stage{}, ""
	plain := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(text), "")
	for line := range strings.Lines(strings.ReplaceAll(plain, "\\\n", " ")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch f := strings.Fields(rest); {
		case word == "FROM":
			name = f[len(f)-1]
			stages[name] = stage{from: f[len(f)-3], name: name}
		case word != "":
			s := stages[name]
			s.steps = append(s.steps, step{word, strings.TrimSpace(rest)})
			stages[name] = s
		}
	}
	return stages
}

// image makes the root of the image without git, as its Dockerfile says, and
// returns the stage that describes it.
func image(t *testing.T) (root string, s stage) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may change the root of a process and its user")
	}
	stages := dockerfile(t)
	root = filepath.Join(t.TempDir(), "image")
	for _, st := range stages["build"].steps {
		if st.word != "RUN" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(st.rest, "/image", root))
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", st.rest, err, out)
		}
	}
	return root, stages["plain"]
}

// start starts what a container of the image runs: as its user, with its root,
// which is not to be written to, and with a configuration where it is mounted.
func start(t *testing.T, root string, s stage, config string, args []string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var entry []string
	if err := json.Unmarshal([]byte(s.last("ENTRYPOINT")), &entry); err != nil {
		t.Fatal(err)
	}
	user, group, _ := strings.Cut(s.last("USER"), ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	gid, err2 := strconv.ParseUint(group, 10, 32)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(root+"/etc/sluice", 0o755), os.WriteFile(root+"/etc/sluice/sluice.yaml", []byte(config), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), entry[0], append(entry[1:], args...)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.last("WORKDIR"), &out, &out
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// manifest reads the objects of a file of deploy/kubernetes, and gives the
// container and the configuration.
func manifest(t *testing.T, name string) (container, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "kubernetes", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects := parse(t, string(text))
	return pods(t, objects).job().Pod.Spec.Containers[0], one(t, objects, "ConfigMap").Data["sluice.yaml"]
}

func TestTheContainerOfTheJobRuns(t *testing.T) {
	root, s := image(t)
	c, config := manifest(t, "job")
	before := files(t, root)
	cmd, out := start(t, root, s, config, c.Args)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range files(t, root) {
		if !before[name] && !strings.HasPrefix(name, "state/") && !strings.HasPrefix(name, "etc") {
			t.Errorf("it wrote %s", name)
		}
	}
	if found, err := filepath.Glob(root + "/state/dump/generated/*/1-*.ndjson.gz"); err != nil || len(found) == 0 {
		t.Errorf("got no files in /state, %v\n%s", err, out)
	}
	if _, err := os.Stat(root + "/state/dump.db"); err != nil {
		t.Errorf("%v: the state is not on the volume", err)
	}
}

// files are the names of all files and directories.
func files(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, _ fs.DirEntry, err error) error {
		names[name] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTheContainerOfTheDeploymentIsReadyAndStops(t *testing.T) {
	root, s := image(t)
	c, config := manifest(t, "deployment")
	port := servers.FreePort(t)
	config = strings.Replace(config[:strings.Index(config, "pipelines:")], ":9600", fmt.Sprintf(":%d", port), 1) +
		"state: /state\npipelines: {p: {source: {generate: {records: 10}}, sink: {file: {path: out, key: \"{pass}-{lane}-{sequence}\"}}, every: 1s}}\n"
	cmd, out := start(t, root, s, config, c.Args)
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for _, path := range []string{c.Startup.Get.Path, c.Liveness.Get.Path, c.Readiness.Get.Path, "/metrics"} {
		answers(t, fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	}
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v, want a daemon that was stopped to end with 0\n%s", err, out)
	}
	if grace := pod30(t); time.Since(began) > grace {
		t.Errorf("it took %v, and pods have %v", time.Since(began), grace)
	}
	for line := range bytes.Lines(out.Bytes()) {
		if !json.Valid(line) {
			t.Errorf("the log is not JSON: %s", line)
		}
	}
}

// pod30 is how long pods have to stop.
func pod30(t *testing.T) time.Duration {
	text, err := os.ReadFile(folder + "/kubernetes/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(pods(t, parse(t, string(text))).job().Pod.Spec.Grace) * time.Second
}

// answers waits until a URL answers with 200.
func answers(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", url, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestImagesRunAlike(t *testing.T) {
	stages := dockerfile(t)
	plain, git := stages["plain"], stages["git"]
	if plain.from != "scratch" || git.from == "" {
		t.Fatalf("got %+v and %+v", plain, git)
	}
	for _, word := range []string{"USER", "WORKDIR", "VOLUME", "ENTRYPOINT", "CMD", "EXPOSE"} {
		if a, b := plain.last(word), git.last(word); a != b || a == "" {
			t.Errorf("%s: got %q and, with git, %q", word, a, b)
		}
	}
	if user, _, _ := strings.Cut(git.last("USER"), ":"); !strings.Contains(git.last("RUN"), "--uid "+user+" ") {
		t.Errorf("the user %s has no name, which ssh needs: %s", user, git.last("RUN"))
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if want := "golang:" + string(version[1]) + "."; !strings.HasPrefix(stages["build"].from, want) {
		t.Errorf("built with %s, want %s as go.mod says", stages["build"].from, want)
	}
}
