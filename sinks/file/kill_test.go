package file_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/internal/kind"
	"sluice/internal/state"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// child is a run in a process of its own: of eight items into files of three,
// which end by time now and then.
func child(dir string) int {
	store, err := state.Open(filepath.Join(dir, "state"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer store.Close()
	p := into(filepath.Join(dir, "out"), "{lane}/{sequence}")
	if p.Roll.Bytes = 30; os.Getenv("SLUICE_FILE_TIMED") != "" {
		p.Roll.Every = unit.Duration(12 * time.Millisecond)
	}
	sink, err := p.Build(kind.Env{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var source slow
	for i := range 8 {
		source.items = append(source.items, item(fmt.Sprint(i), fmt.Sprintf("item %d of 8\n", i)))
	}
	frame := &pipeline.Pipeline{Name: "p", Source: source, Sink: sink, Store: store, Lanes: 1}
	if res, err := frame.Run(context.Background()); err != nil || !res.Complete {
		fmt.Fprintln(os.Stderr, res, err)
		return 1
	}
	return 0
}

// slow gives an item now and then.
type slow struct{ items }

func (s slow) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

func (s slow) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	n := 0
	fmt.Sscan(from.Token, &n)
	for ; n < len(s.items); n++ {
		select {
		case <-time.After(8 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		it := *s.items[n]
		it.Pos.Token = fmt.Sprint(n + 1)
		if err := pipeline.Send(ctx, out, &it); err != nil {
			return err
		}
	}
	return nil
}

func run(t *testing.T, dir, at string, timed bool) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_FILE_CHILD="+dir, "SLUICE_CRASH="+at)
	if timed {
		cmd.Env = append(cmd.Env, "SLUICE_FILE_TIMED=1")
	}
	out, err := cmd.CombinedOutput()
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("at %s: %v\n%s", at, err, out)
	}
	return false
}

// TestAKillAtACrashPointLeavesTheSameFiles kills the process at each hit of
// each point that a file sink comes to, and goes on.
func TestAKillAtACrashPointLeavesTheSameFiles(t *testing.T) {
	plain := t.TempDir()
	run(t, plain, "", false)
	want := below(t, filepath.Join(plain, "out"))
	if len(want) != 3 {
		t.Fatalf("%d files: %v", len(want), want)
	}
	for _, c := range []struct {
		point string
		timed bool
	}{{crash.AfterRename, false}, {crash.AfterComplete, false}, {crash.AfterCut, true}, {crash.AfterRename, true}} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			killed := run(t, dir, fmt.Sprintf("%s:%d", c.point, n), c.timed)
			if !killed && n == 1 {
				t.Errorf("%s is never reached", c.point)
			}
			if !killed {
				break
			}
			early := below(t, filepath.Join(dir, "out"))
			run(t, dir, "", c.timed)
			got := below(t, filepath.Join(dir, "out"))
			for name, content := range early {
				if filepath.Dir(name) != ".sluice" && got[name] != content {
					t.Errorf("%s:%d: %s was %q, is %q", c.point, n, name, content, got[name])
				}
			}
			if !c.timed && !maps.Equal(got, want) {
				t.Errorf("%s:%d: got %v, want %v", c.point, n, got, want)
			}
			if joined(got) != joined(want) {
				t.Errorf("%s:%d: got %q, want %q", c.point, n, joined(got), joined(want))
			}
			if n == 3 && c.timed {
				break
			}
		}
	}
}

// joined is the content of the files of one lane in order.
func joined(files map[string]string) (all string) {
	for i := range len(files) {
		all += files[fmt.Sprintf("l/%d", i)]
	}
	return all
}
