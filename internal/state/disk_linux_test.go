package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/state"
)

// swap puts another device in the place of an open file, and returns a function
// that puts the file back.
func swap(t *testing.T, path, device string) (back func()) {
	t.Helper()
	d, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	fd := descriptor(t, path)
	keep, err := syscall.Dup(fd)
	if err == nil {
		err = syscall.Dup3(int(d.Fd()), fd, syscall.O_CLOEXEC)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Dup3(keep, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		syscall.Close(keep)
	}
}

func descriptor(t *testing.T, path string) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	for _, e := range fds {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); link == path {
			var fd int
			fmt.Sscan(e.Name(), &fd)
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
}

// TestNothingIsSavedAfterAFailedWrite: /dev/full takes no write, /dev/zero takes
// writes and fails to sync.
func TestNothingIsSavedAfterAFailedWrite(t *testing.T) {
	for device, want := range map[string]error{"/dev/full": syscall.ENOSPC, "/dev/zero": syscall.EINVAL} {
		t.Run(device, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "x.db")
			s := open(t, path)
			for n := range 9 { // then there are free pages, and the file need not grow
				put(t, s, row("lanes", "l", fmt.Sprint(n)))
			}
			back := swap(t, path, device)
			err = s.Put(row("lanes", "l", "lost"))
			back()
			if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("put: %v, want %v of %s", err, want, path)
			}
			if again := s.Put(row("lanes", "l", "late")); again == nil || again.Error() != err.Error() {
				t.Errorf("put after a put that failed: %v, want the same error", again)
			}
			if v, err := s.Get("lanes", "l"); err != nil || string(v) != "8" {
				t.Errorf("%q, %v, want the last saved value, \"8\"", v, err)
			}
			if err := s.Recover(); err != nil {
				t.Fatal(err)
			}
			defer shut(t, s)
			if v, err := s.Get("lanes", "l"); err != nil || string(v) != "8" {
				t.Errorf("opened again: %q, %v, want \"8\"", v, err)
			}
			put(t, s, row("lanes", "l", "9"))
			if err := s.Recover(); err != nil { // it is sound: nothing happens
				t.Error(err)
			}
			if v, err := s.Get("lanes", "l"); err != nil || string(v) != "9" {
				t.Errorf("saved again: %q, %v, want \"9\"", v, err)
			}
		})
	}
}

// TestAFullDiskLeavesTheLastSave fills a small file system.
func TestAFullDiskLeavesTheLastSave(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "x.db")
	s := open(t, path)
	last, err := 0, error(nil)
	for ; err == nil && last < 1000; last++ {
		err = s.Put(row("lanes", "l", fmt.Sprint(last)), row("sink.x", fmt.Sprint(last), strings.Repeat("v", 3000)))
	}
	last -= 2
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("after %d saves: %v", last, err)
	}
	for range 2 {
		if v, err := s.Get("lanes", "l"); err != nil || string(v) != fmt.Sprint(last) {
			t.Errorf("%q, %v, want %d", v, err, last)
		}
		shut(t, s)
		if s, err = state.Open(path); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
}
