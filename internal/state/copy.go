package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Copy copies a state to a file that is not there, so that a run can be tried
// on it. If there is none, nothing is copied. One in use is [ErrInUse].
func Copy(path, to string) error {
	user, done, err := share(path)
	if err != nil {
		return err
	}
	defer done()
	if user != "" {
		return fmt.Errorf("state %s %w (pid %s)", path, ErrInUse, user)
	}
	from, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.Copy(out, from)
		err = errors.Join(err, out.Close())
	}
	if err != nil {
		return fmt.Errorf("state: copy %s: %w", path, err)
	}
	return nil
}
