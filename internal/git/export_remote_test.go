package git

import (
	"errors"
	"time"
)

// What tests of the remote try by itself.
var (
	Suits      = suits
	SSHCommand = sshCommand
	ParseKey   = parseKey
)

// ParseAddress gives the scheme, the address as git takes it, and the origin.
func ParseAddress(text string) (scheme, url, origin string, err error) {
	a, err := parseAddress(text)
	return a.scheme, a.url, a.origin, err
}

// Explain gives what the words of a git that failed mean, and the cause for
// which it is tried again, or "".
func Explain(text string) (cause string, err error) {
	err = explain(text, errors.New("exit status 128"))
	if p, ok := errors.AsType[*passing](err); ok {
		cause = p.cause
	}
	return cause, err
}

// SetStall sets the time after which a silent connection has failed.
func (r *Remote) SetStall(d time.Duration) { r.stall = d }

// Keep gives what is kept of texts that are written, at most so many bytes.
func Keep(most int, texts ...string) string {
	b := bounded{most: most, tail: true}
	for _, t := range texts {
		b.Write([]byte(t))
	}
	return string(b.text())
}
