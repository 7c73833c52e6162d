package git

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"unicode"
)

// ErrRaced is wrapped by the error of a push that came second: a reference is no
// longer what it was when the push was made. Made again on what it is now, it
// may be the first.
var ErrRaced = errors.New("another writer was first")

// Kind is what a remote, or this machine, refuses.
type Kind string

// The kinds.
const (
	Denied    Kind = "denied"    // credentials are missing, wrong, or not enough
	Untrusted Kind = "untrusted" // the host cannot prove that it is the one that was meant
	Missing   Kind = "missing"   // there is no such repository
	Absent    Kind = "absent"    // there is no such reference or commit
	Moved     Kind = "moved"     // the repository has another address
	Protected Kind = "protected" // the branch takes no pushes from us
	Hook      Kind = "hook"      // a hook or rule of the repository says no
	Limit     Kind = "limit"     // what is pushed is too large
	Disk      Kind = "disk"      // there is no room, there or here
	Broken    Kind = "broken"    // the repository there is not as it has to be
)

// Refused is an answer that stays the same however often one asks.
type Refused struct {
	Kind   Kind
	Detail string // the words of git and of the remote, without secrets
	Remedy string // what to do; "" if nobody knows
}

// Error implements error.
func (e *Refused) Error() string {
	if e.Remedy == "" {
		return e.Detail
	}
	return e.Detail + ": " + e.Remedy
}

// passing is a failure that may pass.
type passing struct {
	cause  string // as pipeline.Retried takes it
	err    error
	remedy string // if it does not pass
}

// Error implements error.
func (e *passing) Error() string {
	if e.remedy == "" {
		return e.err.Error()
	}
	return e.err.Error() + ": " + e.remedy
}

// Unwrap gives what happened.
func (e *passing) Unwrap() error { return e.err }

// Causes of retries, as pipeline.Retried takes them; besides these, statuses.
const (
	causeTimeout    = "timeout"
	causeConnection = "connection"
	causeLocked     = "locked"
	causeServer     = "server"
)

// explain says what the end of a git means: an error of this package, or what
// git said. text is without secrets.
func explain(text string, ended error) error {
	own, theirs, refs := sort(text)
	detail := words(text)
	switch {
	case errors.Is(ended, exec.ErrWaitDelay) || detail == "":
		detail = strings.TrimSpace(detail + " " + ended.Error())
	case signal(ended) != 0:
		return fmt.Errorf("%s: it was ended by signal %q: is there enough memory?", detail, signal(ended))
	}
	if v := judge(refs, own, theirs); v != nil {
		return v.of(detail)
	}
	return errors.New(detail)
}

// signal is what ended a process, 0 if it ended by itself.
func signal(err error) syscall.Signal {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return s.Signal()
		}
	}
	return 0
}

// sort tells apart what git itself says, what the remote says, and what push
// says of references: only where they come from says what words mean.
func sort(text string) (own, theirs, refs string) {
	for line := range lines(text) {
		rest, remote := strings.CutPrefix(line, "remote:")
		switch {
		case remote:
			theirs += strings.TrimSpace(rest) + "\n"
		case strings.HasPrefix(line, "! "), strings.HasPrefix(line, "!\t"):
			refs += line + "\n"
		default:
			own += line + "\n"
		}
	}
	return own, theirs, refs
}

// lines gives the lines that are not empty, without blanks around them.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
			if line = strings.TrimSpace(line); line != "" && !yield(line) {
				return
			}
		}
	}
}

// rejections gives the lines of push --porcelain that say that a reference did
// not move.
func rejections(out []byte) (text string) {
	for line := range lines(string(out)) {
		if strings.HasPrefix(line, "!\t") {
			text += line + "\n"
		}
	}
	return text
}

// noise is what lines begin with that say nothing of a failure: progress, and
// advice for people who sit before a terminal.
var noise = []string{
	"Enumerating objects", "Counting objects", "Delta compression", "Compressing objects", "Writing objects", "Receiving objects", "Resolving deltas",
	"Total ", "POST git-", "Updating references", "Unpacking objects", "hint:", "Please make sure you have", "and the repository exists",
	"error: failed to push some refs", "Done", "To ", "Pushing to ", "@@@@", "warning: redirecting",
}

// mostWords is how much of what git says is repeated, in bytes.
const mostWords = 1500

// words are what git said, in one line.
func words(text string) string {
	var said []string
	size := 0
	for line := range lines(text) {
		if told := strings.TrimSpace(strings.TrimPrefix(line, "remote:")); told == "" || isNoise(told) {
			continue
		}
		said = append(said, line)
		size += len(line) + 2
	}
	for len(said) > 1 && size > mostWords { // the end says most
		size -= len(said[0]) + 2
		said = said[1:]
	}
	all := strings.Join(said, "; ")
	return strings.Map(printable, strings.ToValidUTF8(all[max(0, len(all)-2*mostWords):], "?"))
}

// printable keeps a remote from writing to terminals what moves their cursor.
func printable(c rune) rune {
	switch {
	case c == '\t':
		return ' '
	case unicode.IsControl(c):
		return '?'
	}
	return c
}

func isNoise(line string) bool {
	for _, n := range noise {
		if strings.HasPrefix(line, n) {
			return true
		}
	}
	return false
}
