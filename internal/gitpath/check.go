package gitpath

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The longest component and path that file systems can have, in bytes.
const (
	maxComponent = 255
	maxPath      = 4096
)

// check says why a path of the repository is refused.
func (p *Paths) check(name string) error {
	if len(name) > maxPath {
		return fmt.Errorf("it would have %d bytes, and %d is the most that systems can have", len(name), maxPath)
	}
	for part := range strings.SplitSeq(name, "/") {
		if err := p.component(part); err != nil {
			return err
		}
	}
	if what := special(name); what != "" && !p.allowed(name) {
		return fmt.Errorf("%s means something to git or its hosts; if it is meant to, allow: [%q]", what, name)
	}
	return nil
}

// component says why a component is refused, whatever path it is of.
func (p *Paths) component(s string) error {
	switch {
	case s == "":
		return errors.New("a component of it is empty")
	case s == ".", s == "..":
		return fmt.Errorf("it has a component %s", s)
	case len(s) > maxComponent:
		return fmt.Errorf("a component of it has %d bytes, and %d is the most that systems can have", len(s), maxComponent)
	case !utf8.ValidString(s):
		return fmt.Errorf("%q is no UTF-8", s)
	case strings.ContainsFunc(s, control):
		return fmt.Errorf("%q has a control character", s)
	case dotGit(s):
		return fmt.Errorf("%q is where some systems have the repository itself", s)
	case !p.Portable:
		return nil
	case strings.ContainsAny(s, notOnWindows):
		return fmt.Errorf("%q has a character of %s, which Windows cannot have in names; for others set portable: false", s, notOnWindows)
	case endsBadly(s):
		return fmt.Errorf("%q ends in a dot or a blank, which Windows leaves out; for others set portable: false", s)
	case device(s):
		return fmt.Errorf("%q is a device to Windows; for others set portable: false", s)
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

const notOnWindows = `\:*?"<>|`

func endsBadly(s string) bool { return strings.HasSuffix(s, ".") || strings.HasSuffix(s, " ") }

// seen calls f for a component as the systems may see it that are the least
// exact, until it is true: a Mac leaves out some code points, Windows what is
// behind a colon (a stream), dots and blanks at the end; neither tells cases
// apart. To Windows a backslash is a slash, so a component may be several.
func seen(s string, f func(string) bool) bool {
	s = strings.Map(func(r rune) rune {
		if ignored(r) {
			return -1
		}
		return r
	}, s)
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, `\`)
		part, _, _ = strings.Cut(part, ":")
		if f(strings.TrimRight(part, ". ")) {
			return true
		}
	}
	return false
}

// ignored says whether a Mac leaves out a code point when it compares names.
func ignored(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}

// dotGit says whether some system takes a component for .git.
func dotGit(s string) bool {
	return seen(s, func(s string) bool { return strings.EqualFold(s, ".git") || strings.EqualFold(s, "git~1") })
}

// devices are names of devices of Windows.
var devices = []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}

// device says whether a component is a device to Windows, with or without an
// extension.
func device(s string) bool {
	stem, _, _ := strings.Cut(s, ".")
	stem = strings.TrimRight(stem, " ")
	if len(stem) < len("CON") {
		return false
	}
	switch name, number := stem[:3], stem[3:]; {
	case strings.EqualFold(name, "COM"), strings.EqualFold(name, "LPT"):
		return utf8.RuneCountInString(number) == 1 && strings.Contains("123456789¹²³", number)
	}
	return slices.ContainsFunc(devices, func(d string) bool { return strings.EqualFold(stem, d) })
}
