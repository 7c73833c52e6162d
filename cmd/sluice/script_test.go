package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The scripts in testdata drive the real command: this test binary, under the
// name sluice. They are written in the language of testscript
// (rogpeppe/go-internal), of which this file knows what they use, and in
// these commands:
//
//	exits N PROGRAM [ARG...]     runs it and wants exit status N
//	until PATTERN PROGRAM [ARG...]   runs it again until its standard output matches
//	get PATH                     gets it from 127.0.0.1:$PORT, as soon as somebody listens
//	repeat TEXT N FILE           writes TEXT N times and a newline to FILE

var update = flag.Bool("update", false, "write what was got into the scripts, where cmp differs")

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "sluice" {
		main()
	}
	os.Exit(m.Run())
}

func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d scripts, %v", len(paths), err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(bin, "sluice")); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := newScript(t, path, bin)
			s.run(s.unpack(string(text)))
		})
	}
}

type script struct {
	t      *testing.T
	path   string
	dir    string
	env    map[string]string
	stdin  string
	stdout string
	stderr string
	back   map[string]*background
	files  []string // names of the archive, in order
	saved  map[string]string
	head   string
	line   string
}

type background struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	neg            bool
}

func newScript(t *testing.T, path, bin string) *script {
	dir := t.TempDir()
	env := map[string]string{
		"WORK": dir, "PATH": bin + ":" + os.Getenv("PATH"), "HOME": "/no-home", "TMPDIR": dir,
		"PORT": freePort(t), "NO_COLOR": "1", "GOCOVERDIR": dir,
	}
	return &script{t: t, path: path, dir: dir, env: env, back: map[string]*background{}, saved: map[string]string{}}
}

func freePort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// unpack writes the files of the archive and returns the script.
func (s *script) unpack(text string) string {
	head := regexp.MustCompile(`(?m)^-- (.+) --\n`)
	at := head.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 {
		return text
	}
	for i, m := range at {
		name, end := text[m[2]:m[3]], len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		s.files = append(s.files, name)
		s.saved[name] = text[m[1]:end]
		s.write(name, text[m[1]:end])
	}
	s.head = text[:at[0][0]]
	return s.head
}

func (s *script) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *script) write(name, text string) {
	path := s.file(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) read(name string) string {
	switch name {
	case "stdout":
		return s.stdout
	case "stderr":
		return s.stderr
	}
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		s.fail("%v", err)
	}
	return string(text)
}

func (s *script) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s: %s\nstdout:\n%s\nstderr:\n%s", s.path, s.line, fmt.Sprintf(format, args...), s.stdout, s.stderr)
}

func (s *script) run(text string) {
	s.t.Cleanup(func() {
		for _, b := range s.back {
			b.cmd.Process.Kill()
			b.cmd.Wait()
		}
	})
	for line := range strings.Lines(text) {
		s.line = strings.TrimSpace(line)
		words := s.words(s.line)
		if len(words) == 0 {
			continue
		}
		neg := words[0] == "!"
		if neg {
			words = words[1:]
		}
		s.command(neg, words[0], words[1:])
	}
}

// words splits a line: single quotes keep a word together and its $ as it is,
// two of them are one; # begins a comment.
func (s *script) words(line string) (words []string) {
	var word strings.Builder
	in, quoted, plain := false, false, ""
	flush := func() {
		word.WriteString(os.Expand(plain, func(name string) string { return s.env[name] }))
		plain = ""
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '\'' && i+1 < len(line) && line[i+1] == '\'':
			word.WriteByte(c)
			i++
		case c == '\'':
			flush()
			quoted, in = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '#' && !in:
			return words
		case c == ' ' || c == '\t':
			if flush(); in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			plain += string(c)
			in = true
		}
	}
	if flush(); in {
		words = append(words, word.String())
	}
	return words
}

func (s *script) command(neg bool, name string, args []string) {
	switch name {
	case "exec":
		s.exec(neg, args)
	case "exits":
		s.exits(args[0], args[1:])
	case "until":
		s.until(args[0], args[1:])
	case "get":
		s.get(args[0])
	case "stdin":
		s.stdin = s.read(args[0])
	case "stdout", "stderr":
		s.match(neg, args[0], s.read(name))
	case "grep":
		s.match(neg, args[0], s.read(args[1]))
	case "exists":
		for _, f := range args {
			if _, err := os.Stat(s.file(f)); (err == nil) == neg {
				s.fail("%s: %v", f, err)
			}
		}
	case "cmp":
		s.cmp(args[0], args[1])
	case "cp":
		s.write(args[1], s.read(args[0]))
	case "rm":
		for _, f := range args {
			os.RemoveAll(s.file(f))
		}
	case "mkdir":
		os.MkdirAll(s.file(args[0]), 0o777)
	case "env":
		k, v, _ := strings.Cut(args[0], "=")
		s.env[k] = v
	case "kill":
		s.kill(args)
	case "wait":
		s.wait(args[0])
	case "repeat":
		n, _ := strconv.Atoi(args[1])
		s.write(args[2], strings.Repeat(args[0], n)+"\n")
	default:
		s.fail("unknown command")
	}
}

func (s *script) prepare(ctx context.Context, args []string) *exec.Cmd {
	path := args[0]
	for dir := range strings.SplitSeq(s.env["PATH"], ":") {
		if p := filepath.Join(dir, args[0]); !strings.Contains(args[0], "/") {
			if _, err := os.Stat(p); err == nil {
				path = p
				break
			}
		}
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(s.stdin)
	for _, k := range slices.Sorted(maps.Keys(s.env)) {
		cmd.Env = append(cmd.Env, k+"="+s.env[k])
	}
	s.stdin = ""
	return cmd
}

func (s *script) start(args []string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.prepare(ctx, args)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	s.stdout, s.stderr = stdout.String(), stderr.String()
	return err
}

func (s *script) exec(neg bool, args []string) {
	last := args[len(args)-1]
	if name, ok := strings.CutPrefix(last, "&"); ok { // & or &name&
		b := &background{cmd: s.prepare(s.t.Context(), args[:len(args)-1]), neg: neg}
		b.cmd.Stdout, b.cmd.Stderr = &b.stdout, &b.stderr
		if err := b.cmd.Start(); err != nil {
			s.fail("%v", err)
		}
		s.back[strings.TrimSuffix(name, "&")] = b
		return
	}
	if err := s.start(args); (err != nil) != neg {
		s.fail("got %v", err)
	}
}

func (s *script) exits(status string, args []string) {
	err := s.start(args)
	got := 0
	if err != nil {
		e, ok := err.(*exec.ExitError)
		if !ok {
			s.fail("%v", err)
		}
		got = e.ExitCode()
	}
	if strconv.Itoa(got) != status {
		s.fail("got exit status %d, want %s", got, status)
	}
}

func (s *script) until(pattern string, args []string) {
	re := regexp.MustCompile("(?m)" + pattern)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := s.start(args); err == nil && re.MatchString(s.stdout) {
			return
		}
	}
	s.fail("never matched %s", pattern)
}

func (s *script) get(path string) {
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var resp *http.Response
		if resp, err = http.Get("http://127.0.0.1:" + s.env["PORT"] + path); err != nil {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		s.stdout, s.stderr = resp.Status+"\n"+string(body), ""
		return
	}
	s.fail("%v", err)
}

func (s *script) match(neg bool, pattern, text string) {
	if regexp.MustCompile("(?m)"+pattern).MatchString(text) == neg {
		s.fail("in:\n%s", text)
	}
}

// cmp compares; with -update, what differs is written into the archive.
func (s *script) cmp(got, want string) {
	a, b := s.read(got), s.read(want)
	switch {
	case a == b:
	case *update && slices.Contains(s.files, want):
		s.saved[want] = a
		out := s.head
		for _, name := range s.files {
			out += "-- " + name + " --\n" + s.saved[name]
		}
		if err := os.WriteFile(s.path, []byte(out), 0o666); err != nil {
			s.t.Fatal(err)
		}
	default:
		s.fail("%s differs from %s:\n%s\nwant:\n%s", got, want, a, b)
	}
}

func (s *script) kill(args []string) {
	signal := map[string]syscall.Signal{"-TERM": syscall.SIGTERM, "-INT": syscall.SIGINT, "-KILL": syscall.SIGKILL}[args[0]]
	if b := s.back[args[1]]; b == nil || b.cmd.Process.Signal(signal) != nil {
		s.fail("no such process")
	}
}

func (s *script) wait(name string) {
	b := s.back[name]
	delete(s.back, name)
	err := b.cmd.Wait()
	s.stdout, s.stderr = b.stdout.String(), b.stderr.String()
	if (err != nil) != b.neg {
		s.fail("got %v", err)
	}
}
