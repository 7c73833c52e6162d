package state_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/internal/state"
)

// children are what this test binary does as a process of its own.
var children = map[string]func(args []string) int{"save": saveForEver, "hold": hold, "some": saveSome}

// child is this binary as another process.
func child(t *testing.T, what string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(append(os.Environ(), "STATE_TEST_CHILD="+what), env...)
	c.Stderr = os.Stderr
	return c
}

// saveForEver saves one number after the other, and writes each when it is saved.
func saveForEver(args []string) int {
	s, err := state.Open(args[0])
	for n := 1; err == nil && n < 1000; n++ {
		if err = s.Put(row("sink.x", "n", fmt.Sprint(n)), row("lanes", "l", fmt.Sprint(n)), row("sink.x", fmt.Sprint(n), "1")); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	return 1
}

// saveSome saves numbers, of which every third makes the file grow.
func saveSome(args []string) int {
	s, err := state.Open(filepath.Join(args[0], "new", "x.db"))
	for n := 1; err == nil && n < 8; n++ {
		rows := strings.Repeat("v", n%3/2*40_000)
		if err = s.Put(row("sink.x", "n", fmt.Sprint(n)), row("lanes", "l", fmt.Sprint(n)), row("sink.x", fmt.Sprint(n), rows)); err == nil {
			fmt.Println(n)
		}
	}
	if err = errors.Join(err, s.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// hold has a state open until its standard input ends.
func hold(args []string) int {
	s, err := state.Open(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	fmt.Println("open")
	bufio.NewReader(os.Stdin).ReadByte()
	s.Close()
	return 0
}

func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

func TestAfterKill9TheStateIsThatOfASave(t *testing.T) {
	for point, want := range map[string]int{crash.BeforeSave: 6, crash.InSave: 6, crash.AfterSave: 7} {
		t.Run(point, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			out, err := child(t, "save", []string{"SLUICE_CRASH=" + point + ":7"}, path).Output()
			if !killed(err) || string(out) != "1\n2\n3\n4\n5\n6\n" {
				t.Fatalf("%v, said %q", err, out)
			}
			saved(t, path, want, want)
		})
	}
}

func TestAfterKill9AtAnyTimeTheLastSaveIsThere(t *testing.T) {
	for n := range 8 {
		path := filepath.Join(t.TempDir(), "x.db")
		c := child(t, "save", nil, path)
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(20+n*13)*time.Millisecond, func() { c.Process.Kill() })
		if err := c.Wait(); !killed(err) {
			t.Fatal(err)
		}
		last := strings.Count(out.String(), "\n")
		if _, err := os.Stat(path); last == 0 && err != nil {
			continue // it came no further
		}
		saved(t, path, last, last+1)
	}
}

// saved wants the number in the state to be from..to, in both rows of its save.
func saved(t *testing.T, path string, from, to int) {
	t.Helper()
	s := open(t, path)
	defer shut(t, s)
	var n, m, rows int
	v, err := s.Get("lanes", "l")
	fmt.Sscan(string(v), &n)
	v, err2 := s.Get("sink.x", "n")
	fmt.Sscan(string(v), &m)
	err3 := s.Range("sink.x", "", func(string, []byte) error { rows++; return nil })
	if err := errors.Join(err, err2, err3); err != nil || n < from || n > to || m != n || n > 0 && rows != n+1 {
		t.Errorf("%v: saved %d and %d, %d rows, want %d to %d", err, n, m, rows, from, to)
	}
	put(t, s, row("lanes", "l", "more"))
}

func TestAStateHasOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	c := child(t, "hold", nil, path)
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("state %s is in use by another sluice (pid %d): ", path, c.Process.Pid)
	if _, err := state.Open(path); !errors.Is(err, state.ErrInUse) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("open: %v, want %s", err, want)
	}
	if err := state.Reset(path); !errors.Is(err, state.ErrInUse) {
		t.Errorf("reset: %v, want %v", err, state.ErrInUse)
	}
	if s, err := state.Read(path); err != nil || s.InUse != fmt.Sprint(c.Process.Pid) {
		t.Errorf("read: %+v, %v, want it to be in use by %d", s, err, c.Process.Pid)
	}
	in.Close()
	s := open(t, path) // waits until the other one has closed it
	c.Wait()
	shut(t, s)
}
