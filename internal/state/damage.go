package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// DamagedError is the error of a state that cannot be read: it was changed, cut
// short, is no state at all, or one of a newer sluice.
type DamagedError struct {
	Path   string
	Reason string
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("state %s cannot be read: %s; restore the file, or `sluice checkpoint reset %s` to begin at the beginning",
		e.Path, e.Reason, Pipeline(e.Path))
}

// Pipeline is the name of the pipeline whose state is in the file path.
func Pipeline(path string) string { return strings.TrimSuffix(filepath.Base(path), ".db") }

// damaged is what is wrong inside a file.
type damaged string

func (d damaged) Error() string { return string(d) }

func damage(format string, args ...any) error { return damaged(fmt.Sprintf(format, args...)) }

// damagedOr names the file in an error, and the remedy if it is damaged.
func damagedOr(path string, err error) error {
	if d := damaged(""); errors.As(err, &d) {
		return &DamagedError{Path: path, Reason: string(d)}
	}
	return fmt.Errorf("state %s: %w", path, err)
}
