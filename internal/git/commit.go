package git

import (
	"strconv"
	"strings"
	"time"
)

// Person is an author or committer.
type Person struct{ Name, Email string }

// Commit is a commit to make. Its dates are in UTC.
type Commit struct {
	// Ref is the reference that it is made on here, by its full name: refs/….
	// The first commit of an import on a reference has Parent, or none; each
	// further one follows the one before.
	Ref               string
	Parent            OID
	Author, Committer Person
	When              time.Time
	Message           string // a newline is added to its end if it has none; NUL is left out
}

// Begin begins a commit: the tree of its parent, and the calls of Delete and
// Modify that follow, in their order. It ends with the next Begin, Blob or Done.
func (im *Import) Begin(c Commit) {
	if im.err != nil {
		return
	}
	im.commits++
	b := append(im.line[:0], "commit "...)
	b = append(b, c.Ref...)
	b = append(b, "\nmark :"...)
	b = strconv.AppendInt(b, int64(im.commits), 10)
	b = appendPerson(append(b, "\nauthor "...), c.Author, c.When)
	b = appendPerson(append(b, "\ncommitter "...), c.Committer, c.When)
	text := cleanMessage(c.Message)
	b = append(b, "\ndata "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, '\n')
	b = append(b, text...)
	if c.Parent != "" && !im.refs[c.Ref] {
		b = append(b, "\nfrom "...)
		b = append(b, c.Parent...)
	}
	im.refs[c.Ref] = true
	im.line = append(b, '\n')
	im.out.Write(im.line)
}

// Delete removes a path from the tree, with all that is below it.
func (im *Import) Delete(path string) { im.change("D ", path) }

// Modify makes a path a regular file with the content of a blob, which the
// import took before or the repository has.
func (im *Import) Modify(path string, blob OID) { im.change("M 100644 "+string(blob)+" ", path) }

// change writes a line about a path. An error of out is kept until Done.
func (im *Import) change(what, path string) {
	switch {
	case im.err != nil:
	case path == "": // D of it would remove everything
		_ = im.fail(errNoPath)
	default:
		im.line = append(appendPath(append(im.line[:0], what...), path), '\n')
		im.out.Write(im.line)
	}
}

// appendPerson appends a person and a time as commits hold them.
func appendPerson(dst []byte, p Person, at time.Time) []byte {
	if name := cleanName(p.Name); name != "" {
		dst = append(append(dst, name...), ' ')
	}
	dst = append(dst, '<')
	dst = append(dst, cleanName(p.Email)...)
	dst = append(dst, "> "...)
	dst = strconv.AppendInt(dst, at.Unix(), 10)
	return append(dst, " +0000"...)
}

// cleanName leaves out what would end a name or an address.
func cleanName(text string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '<' || c == '>' {
			return -1
		}
		return c
	}, text))
}

func cleanMessage(text string) string {
	text = strings.ReplaceAll(text, "\x00", "")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
