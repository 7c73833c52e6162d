package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is wrapped by the error of what needs a state that another process
// has open.
var ErrInUse = errors.New("is in use by another sluice")

// lockFile locks path for this process: the lock is on a file beside it, which
// holds the number of the process and is never removed. Closing it ends the
// lock, and so does the end of the process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := flock(f, unix.LOCK_EX, lockWait); err != nil {
		defer f.Close()
		return nil, inUse(path, f, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("state: %w", err)
	}
	return f, nil
}

// flock tries to lock a file for as long as wait.
func flock(f *os.File, how int, wait time.Duration) error {
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return err
		}
	}
}

// inUse says who has the lock.
func inUse(path string, lock *os.File, err error) error {
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("state: lock %s: %w", lock.Name(), err)
	}
	return fmt.Errorf("state %s %w (pid %s): stop it, or give this one a state of its own", path, ErrInUse, holder(lock))
}

func holder(lock *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(lock, 0, 32))
	if pid := strings.TrimSpace(string(b)); pid != "" {
		return pid
	}
	return "unknown"
}
