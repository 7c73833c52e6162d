// Package check is what `sluice check` learns of a stage before anything moves:
// what is there, what the stage may do there, what there is to move, and what
// somebody may not expect.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Checker is a source, sink or place of dead letters that can look at its other
// end. Check adds to r what it finds, also if it fails; the error says what is
// wrong there, and what to do. It changes nothing there unless r.Write is set.
type Checker interface {
	Check(ctx context.Context, r *Report) error
}

// Hurrier is options of a stage whose requests are tried again. Hurry bounds for
// how long: who waits for a check wants to know that nobody answers.
type Hurrier interface{ Hurry(most time.Duration) }

// Report is what the check of one stage is told and what it finds.
type Report struct {
	Write   bool     // what only writing shows may be tried: something is written, and removed again
	Fresh   bool     // the pipeline has no state: what is at its target already is not known to be its own
	Indices []string // of a source: the indices that records name; of a sink: those of its source

	Found      []string // what is there, a line each
	Warnings   []string // what somebody may not expect, each with what to do
	Grants     []Grant
	Load       Load   // of a source: what there is to read, as far as it is known
	Remembered int64  // of a source: about how many bytes of the state a pass takes, beside its lanes
	Free       int64  // of a sink: bytes that there is room for at its target; 0: it is not known
	Unread     string // of a source: why reading a sample of it is not harmless; "": it is
}

// NewReport returns one in which nothing is known of the load.
func NewReport() *Report { return &Report{Load: Unknown} }

// Say adds a line to what was found.
func (r *Report) Say(format string, args ...any) {
	r.Found = append(r.Found, fmt.Sprintf(format, args...))
}

// Warn adds a warning.
func (r *Report) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Add adds whether the stage may do something: err is nil, why it may not, or of
// [Unsure].
func (r *Report) Add(what string, err error) {
	r.Grants = append(r.Grants, Grant{what, err})
}

// Lines are all lines of what was found and warned of.
func (r *Report) Lines() []string { return slices.Concat(r.Found, r.Warnings) }

// Grant is something that a stage needs to be allowed.
type Grant struct {
	What string // "put objects"
	Err  error  // why it is not allowed, with what to grant; nil: it is
}

// Missing says whether the stage may not do it.
func (g Grant) Missing() bool {
	var u unsure
	return g.Err != nil && !errors.As(g.Err, &u)
}

// Unsure is why it is not known whether a stage may do something.
func Unsure(why error) error { return unsure{why} }

type unsure struct{ error }

func (u unsure) Unwrap() error { return u.error }

// Load is how much there is to move. -1 is not known.
type Load struct {
	Records, Objects, Bytes int64
	Lanes                   int
	Least                   bool // there is more than that
}

// Unknown is a load of which nothing is known.
var Unknown = Load{Records: -1, Objects: -1, Bytes: -1}

// Requester is a source that can say about how many requests it makes to read a
// load; -1: not known.
type Requester interface{ Requests(l Load) int64 }

// Estimator is a sink that can say about how many objects it makes of a load,
// and by how many requests; -1: none, or not known.
type Estimator interface {
	Estimate(in Load) (objects, requests int64)
}

// Number writes a number of things: 1 file, 2 files.
func Number(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Over is how many of a size it takes for n, -1 if n is not known.
func Over(n, size int64) int64 {
	if n < 0 || size <= 0 {
		return -1
	}
	return (n + size - 1) / size
}
