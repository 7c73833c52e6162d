package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/test/processes"
	"sluice/test/servers"
)

// contestant brings the bucket into a repository of its own.
type contestant struct {
	name       string
	repository servers.Repository
	dir        string // it runs there
	command    []string
}

// cost is what processes have used.
type cost struct {
	cpu, wall time.Duration
	server    time.Duration // CPU of git's server meanwhile
	rss       int64         // bytes, of all, at their peak
}

// script is what people write. REMOTE has the token in it.
const script = `set -eu
test -d work || git clone --quiet "$REMOTE" work 2>/dev/null
mkdir -p work/clusters
"$S5CMD" --endpoint-url "$S3" --log error sync --delete "s3://$BUCKET/in/*" work/clusters/ >/dev/null
` + commit

// anew is the script without anything from the run before.
const anew = `set -eu
rm -rf work
git clone --quiet --depth=1 "$REMOTE" work 2>/dev/null
rm -rf work/clusters
mkdir work/clusters
"$S5CMD" --endpoint-url "$S3" --log error cp "s3://$BUCKET/in/*" work/clusters/ >/dev/null
` + commit

const commit = `cd work
git config gc.auto 0
git config user.name script
git config user.email script@example.org
git add --all
git diff --cached --quiet || {
	git commit --quiet -m sync
	git push --quiet origin HEAD:refs/heads/main
}
`

// contestants prepares all that are compared.
func (b *bench) contestants() (all []contestant, err error) {
	ours := []string{b.program, "run", "-c", "sluice.yaml", "--quiet"}
	forgetful := []string{"sh", "-c", `rm -rf state; exec "$0" "$@"`}
	for _, c := range []contestant{
		{name: "sluice", command: ours},
		{name: "sluice, no disk", command: append(forgetful, ours...)},
		{name: "script", command: []string{"sh", "-c", script}},
		{name: "script, no disk", command: []string{"sh", "-c", anew}},
	} {
		id := strings.ReplaceAll(c.name, ", no ", "-no-")
		c.dir = filepath.Join(b.dir, id)
		if err := os.Mkdir(c.dir, 0o755); err != nil {
			return nil, err
		}
		if c.repository, err = servers.NewRepository(filepath.Join(b.host.Dir, id)); err != nil {
			return nil, err
		}
		c.repository.URL = b.host.URL + "/" + id
		if err := b.configure(c); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// configure writes the configuration of Sluice.
func (b *bench) configure(c contestant) error {
	remember := "state"
	if strings.HasSuffix(c.name, "no disk") {
		remember = "repository"
	}
	text := fmt.Sprintf(`state: ./state
pipelines:
  p:
    source: {s3: {bucket: %s, prefix: in/, endpoint: %q, region: %s, access_key: %s, secret_key: %s}}
    sink: {git: {url: %q, branch: main, token: %s, path: clusters, strip: in/, remember: %s}}
`, b.bucket, b.store.Endpoint, b.store.Region, b.store.AccessKey, b.store.SecretKey, c.repository.URL, servers.GitToken, remember)
	return os.WriteFile(filepath.Join(c.dir, "sluice.yaml"), []byte(text), 0o600)
}

// command runs a contestant once.
func (b *bench) command(ctx context.Context, c contestant) (cost, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &stderr, &stderr
	cmd.Env = append(b.env(), "REMOTE="+strings.Replace(c.repository.URL, "://", "://x:"+servers.GitToken+"@", 1))
	before, began := children(), time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	peak := make(chan int64, 1)
	var g errgroup.Group
	g.Go(func() error { peak <- processes.Peak(cmd.Process.Pid); return nil })
	err := cmd.Wait()
	g.Wait()
	if err != nil {
		return cost{}, fmt.Errorf("%w\n%s", err, stderr.Bytes()[max(0, stderr.Len()-2000):])
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return cost{cpu: used, wall: time.Since(began), server: max(0, children()-before-used), rss: <-peak}, nil
}

// children is the CPU time of all processes that this one has waited for: git's
// server is among them.
func children() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
