package gitpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// encode percent-encodes what could not be a path below the directory, and each
// %: so url.PathUnescape gives the name back, and no two have one encoding.
func (p *Paths) encode(name string) string {
	name = p.encodeBytes(name)
	free := p.allowed(p.dir + name)
	parts := strings.Split(name, "/")
	for i, s := range parts {
		root := i == 0 && p.dir == ""
		special := func(s string) bool { return !free && meaning(s, root) }
		parts[i] = p.encodeComponent(s, special)
	}
	return strings.Join(parts, "/")
}

// encodeBytes encodes what no component can have, and slashes that would leave
// one empty.
func (p *Paths) encodeBytes(name string) string {
	var b strings.Builder
	begin := 0 // of the component, in b
	for at := 0; at < len(name); {
		r, n := utf8.DecodeRuneInString(name[at:])
		c := name[at : at+n]
		at += n
		switch {
		case r == '/' && b.Len() > begin && at < len(name):
			b.WriteByte('/')
			begin = b.Len()
		case r == '/', r == '%', control(r), r == utf8.RuneError && n == 1, p.Portable && strings.Contains(notOnWindows, c):
			percent(&b, c)
		default:
			b.WriteString(c)
		}
	}
	return b.String()
}

// encodeComponent encodes as much of a component as makes it one that can be.
func (p *Paths) encodeComponent(s string, special func(string) bool) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	if p.Portable && endsBadly(s) {
		s = s[:len(s)-1] + hex(s[len(s)-1:])
	}
	bad := func() bool { return dotGit(s) || special(s) || p.Portable && device(s) }
	if bad() { // it may be one only in parts
		s = strings.NewReplacer(`\`, `%5C`, ":", "%3A").Replace(s)
	}
	if bad() {
		_, n := utf8.DecodeRuneInString(s)
		s = hex(s[:n]) + s[n:]
	}
	return s
}

func hex(s string) string {
	var b strings.Builder
	percent(&b, s)
	return b.String()
}

func percent(b *strings.Builder, s string) {
	for _, c := range []byte(s) {
		fmt.Fprintf(b, "%%%02X", c)
	}
}
