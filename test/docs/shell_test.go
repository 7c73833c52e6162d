package docs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shell runs commands one after the other, as a reader of a page does.
type shell struct {
	in     io.Writer
	out    *bufio.Reader
	real   *strings.Replacer // of what a page calls servers
	shown  *strings.Replacer // and back
	names  *regexp.Regexp    // of indices and buckets; nil: there are none
	unique map[string]string
	theirs map[string]string
	home   string
	status int
}

const (
	mark    = "--- ended with "
	waiting = "export PS1= PROMPT_COMMAND= __=0\n"
)

// newShell begins in an empty directory, its home.
func newShell(ctx context.Context, t *testing.T, env []string) *shell {
	t.Helper()
	dir := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile")
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "NO_COLOR=1"}, env...)
	cmd.Stdout, cmd.Stderr = w, w
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		r.Close()
	})
	s := &shell{home: dir, in: in, out: bufio.NewReader(r), real: strings.NewReplacer(), shown: strings.NewReplacer()}
	if _, err := io.WriteString(in, waiting); err != nil {
		t.Fatal(err)
	}
	return s
}

// do runs a command and returns what it printed, as the page calls things.
func (s *shell) do(command string) ([]string, error) {
	_, err := fmt.Fprintf(s.in, "{ (exit $__)\n%s\n} </dev/null\n__=$?; printf '\\n%s%%d\\n' $__\n", s.as(s.real.Replace(command), s.unique), mark)
	if err != nil {
		return nil, err
	}
	var out []string
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return out, fmt.Errorf("the shell has ended: %w", err)
		}
		line = strings.TrimRight(line, " \n")
		if status, ok := strings.CutPrefix(line, mark); ok {
			s.status, err = strconv.Atoi(status)
			return trimmed(out), err
		}
		if !strings.Contains(line, " msg=progress ") {
			out = append(out, s.shown.Replace(s.as(line, s.theirs)))
		}
	}
}

// as writes the names in text anew.
func (s *shell) as(text string, names map[string]string) string {
	if s.names == nil {
		return text
	}
	return s.names.ReplaceAllStringFunc(text, func(n string) string {
		if other, ok := names[n]; ok {
			return other
		}
		return n
	})
}

// file writes a file into the directory that the shell is in.
func (s *shell) file(name string, lines []string) error {
	dir, err := s.do("pwd")
	if err != nil || len(dir) != 1 {
		return fmt.Errorf("pwd: %q, %w", dir, err)
	}
	text := s.as(s.real.Replace(strings.Join(lines, "\n")+"\n"), s.unique)
	return os.WriteFile(strings.Replace(dir[0], "/home/you", s.home, 1)+"/"+name, []byte(text), 0o600)
}

// trimmed is lines without empty ones at their ends.
func trimmed(lines []string) []string {
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
