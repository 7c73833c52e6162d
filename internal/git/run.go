package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// call is one run of git.
type call struct {
	dir   string // of the repository; "": it is in none
	stdin string
	env   []string // beside what every git has
	args  []string
	both  bool // the output is standard output and then standard error
}

// name is the command of git that is called.
func (c call) name() string {
	args := c.args
	for len(args) > 2 && args[0] == "-c" {
		args = args[2:]
	}
	return args[0]
}

const (
	mostOutput = 16 << 20        // of what one git prints; more is an error
	mostErrors = 64 << 10        // kept of what it says on standard error: its end
	linger     = 5 * time.Second // for which output is still read after git has ended
)

// run runs a git that does not speak to the remote, and gives what it prints.
func (r *Remote) run(ctx context.Context, c call) ([]byte, error) {
	out, err := r.once(ctx, c, access{})
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", c.name(), err)
	}
	return out, nil
}

// once runs a git with what it needs to be let in.
func (r *Remote) once(ctx context.Context, c call, a access) ([]byte, error) {
	cmd := r.command(ctx, c, a)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	out, errs := &bounded{most: mostOutput}, &bounded{most: mostErrors, tail: true}
	cmd.Stdout, cmd.Stderr = out, errs
	run := cmd.Run
	if a.remote {
		run = func() error { return guarded(cmd, c.name()) }
	}
	if err := run(); err != nil {
		return nil, r.failed(err, context.Cause(ctx), out.text(), errs.text())
	}
	if c.both {
		return append(out.text(), errs.text()...), nil
	}
	return out.text(), nil
}

// command makes a git ready, in a process group of its own: a Ctrl-C in a
// terminal is for us to handle. It is ended with all its children when ctx ends.
// When this process dies, it reads the end of its input or writes to nobody.
func (r *Remote) command(ctx context.Context, c call, a access) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, c.args...)
	cmd.Dir = c.dir
	if c.dir == "" {
		cmd.Dir = "/" // and not in a repository that happens to be around
	}
	cmd.Env = r.environ(c, a)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = linger
	return cmd
}

// failed says why git ended with err, and what it printed then; why it was killed
// if we did that.
func (r *Remote) failed(err, killed error, out, errs []byte) error {
	if killed != nil {
		return killed
	}
	if e, ok := errors.AsType[*exec.Error](err); ok && e.Name == program {
		return fmt.Errorf("git %s or later is needed: %w", oldest, err)
	}
	text := string(errs)
	if refs := rejections(out); refs != "" { // what push --porcelain says of each
		text += "\n" + refs
	}
	return explain(r.redact(text), err)
}

// child is a git that runs for long beside its caller, and does not speak to the
// remote. It is not safe for concurrent use, except that stdin and stdout may be
// used side by side.
type child struct {
	stdin  io.WriteCloser
	stdout io.ReadCloser
	cause  func() error // why the context of start has ended; nil if it has not
	remote *Remote
	cmd    *exec.Cmd
	errs   bounded
	name   string
	waited bool
}

// start starts a git that runs until its input ends. The end of ctx kills it.
func (r *Remote) start(ctx context.Context, c call) (*child, error) {
	cmd := r.command(ctx, c, access{})
	k := &child{cause: func() error { return context.Cause(ctx) }, remote: r, cmd: cmd, name: c.name(), errs: bounded{most: mostErrors, tail: true}}
	var err error
	if k.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if k.stdout, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	cmd.Stderr = &k.errs
	if err := cmd.Start(); err != nil {
		return nil, k.failed(err)
	}
	return k, nil
}

// wait waits for its end. Its output must have been read.
func (k *child) wait() error {
	k.waited = true
	if err := k.cmd.Wait(); err != nil {
		return k.failed(err)
	}
	return nil
}

func (k *child) failed(err error) error {
	return fmt.Errorf("git %s: %w", k.name, k.remote.failed(err, k.cause(), nil, k.errs.text()))
}

// Close kills it, if nobody has waited for its end.
func (k *child) Close() {
	if k.waited {
		return
	}
	k.waited = true
	_ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL) // it is there until it is waited for
	k.stdin.Close()
	_ = k.cmd.Wait() // killed
}

// fail ends it after talking to it gave err. One that takes or gives nothing more
// has ended by itself, and why is said too.
func (k *child) fail(err error) error {
	var died error
	if cut := err == io.EOF; cut || errors.Is(err, syscall.EPIPE) {
		k.stdin.Close()
		died = k.wait()
		if cut {
			err = io.ErrUnexpectedEOF
		}
	}
	k.Close()
	if died != nil {
		return fmt.Errorf("%w: %w", died, err)
	}
	return fmt.Errorf("git %s: %w", k.name, err)
}

// bounded keeps what is written to it, up to most bytes: more is an error, or
// drops the oldest lines.
type bounded struct {
	most    int
	tail    bool
	dropped bool
	buf     []byte
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if !b.tail && len(b.buf)+len(p) > b.most {
		return 0, fmt.Errorf("it printed more than %d bytes", b.most)
	}
	b.buf = append(b.buf, p...)
	if over := len(b.buf) - b.most; over > 0 {
		b.buf = slices.Delete(b.buf, 0, over)
		b.dropped = true
	}
	return len(p), nil
}

// text gives whole lines: a secret that was cut could not be found in the rest.
func (b *bounded) text() []byte {
	if !b.dropped {
		return b.buf
	}
	_, rest, _ := bytes.Cut(b.buf, []byte{'\n'})
	return rest
}
