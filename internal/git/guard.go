package git

import (
	"io"
	"os"
	"os/exec"
	"syscall"

	"sluice/internal/crash"
)

// guard is a process that ends gits that would outlive us: a push goes on by
// itself, in helpers that do not notice that nobody waits for it. It waits for
// the end of its input, which is ours, and then ends its process group: gently,
// so that a git of this machine leaves no lock files, and then at once.
type guard struct {
	cmd  *exec.Cmd
	life io.Closer
}

const watch = `trap "" TERM; read x; kill -TERM 0; sleep 2; kill -KILL 0`

func startGuard() (*guard, error) {
	cmd := exec.Command("sh", "-c", watch)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guard{cmd, life}, cmd.Start()
}

// group is the process group that it guards.
func (g *guard) group() int { return g.cmd.Process.Pid }

// stop ends the whole group.
func (g *guard) stop() {
	_ = syscall.Kill(-g.group(), syscall.SIGKILL) // it is there until it is waited for
	g.life.Close()
	_ = g.cmd.Wait() // killed
}

// guarded runs a git that ends, with all its helpers, when this process does.
func guarded(cmd *exec.Cmd, name string) error {
	g, err := startGuard()
	if err != nil {
		return err
	}
	defer g.stop()
	cmd.SysProcAttr.Pgid = g.group()
	cmd.Cancel = func() error { return syscall.Kill(-g.group(), syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return err
	}
	if name == "push" {
		crash.Point(crash.InPush)
	}
	return cmd.Wait()
}
