package transforms

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sluice/internal/raw"
)

// maxIndex is the longest name of an index, in bytes.
const maxIndex = 255

// template is a name of an index with fields in it.
type template struct {
	parts            []part
	document, beside *fields
}

// part is a text or a field.
type part struct {
	text   string // the text, or the path of the field
	field  int    // number of the field, -1: a text
	layout string // of a date
}

// newTemplate parses a template. The braces of a field hold its path.
func newTemplate(text string) (*template, error) {
	t := &template{}
	var paths, beside []string
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if strings.ContainsAny(before, "}") || found && !strings.Contains(after, "}") {
			return nil, fmt.Errorf("%q: a brace has no other; fields are written as {user.name}", text)
		}
		if before != "" {
			t.parts = append(t.parts, part{before, -1, ""})
		}
		if !found {
			break
		}
		inside, behind, _ := strings.Cut(after, "}")
		rest = behind
		path, layout, dated := strings.Cut(inside, ":")
		if slices.Contains(strings.Split(path, "."), "") || dated && layout == "" {
			return nil, fmt.Errorf("%q: {%s} is no field; fields are written as {user.name}, dates as {@timestamp:2006.01.02}", text, inside)
		}
		field := max(slices.Index(paths, path), slices.Index(beside, "_"+path))
		switch {
		case path == "index" && field < 0:
			paths, beside = append(paths, ""), append(beside, "_index")
		case field < 0:
			paths, beside = append(paths, path), append(beside, "")
		}
		if field < 0 {
			field = len(paths) - 1
		}
		t.parts = append(t.parts, part{path, field, layout})
	}
	if len(paths) > maxFields {
		return nil, fmt.Errorf("%q: there are more than %d fields", text, maxFields)
	}
	if len(paths) == 0 {
		if err := checkIndex([]byte(text)); err != nil {
			return nil, err
		}
	}
	t.document, t.beside = newFields(paths...), newFields(beside...)
	return t, nil
}

// render appends the name for a record to dst.
func (t *template) render(dst, rec []byte, d *document) ([]byte, error) {
	var values [maxFields][]byte
	found := func(field int, value []byte) {
		if values[field] == nil {
			values[field] = value
		}
	}
	if t.document.all != 0 {
		t.document.visit(rec, d.at, 0, found)
	}
	if t.beside.all != 0 {
		t.beside.visit(rec, d.meta, 0, found)
	}
	var err error
	for _, p := range t.parts {
		switch {
		case p.field < 0:
			dst = append(dst, p.text...)
		case p.layout != "":
			dst, err = p.appendDate(dst, values[p.field])
		default:
			dst, err = p.appendText(dst, values[p.field])
		}
		if err != nil {
			return nil, err
		}
	}
	return dst, checkIndex(dst)
}

// appendText appends what a value is, in small letters: engines take no others.
func (p part) appendText(dst, value []byte) ([]byte, error) {
	if len(value) == 0 || bytes.IndexByte([]byte(`{[n`), value[0]) >= 0 {
		return nil, fmt.Errorf("the record has no text or number as %s", p.text)
	}
	text := value
	if value[0] == '"' {
		buf := texts.Get().(*[]byte)
		defer texts.Put(buf)
		var ok bool
		if text, ok = unescaped(buf, value); !ok {
			return nil, fmt.Errorf("the %s of the record is no text", p.text)
		}
	}
	for len(text) > 0 && len(dst) <= maxIndex {
		r, size := utf8.DecodeRune(text)
		dst, text = utf8.AppendRune(dst, unicode.ToLower(r)), text[size:]
	}
	return dst, nil
}

// dates are how documents write dates; those without a zone are in UTC.
var dates = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"}

// appendDate appends a date: of a text, or of a number of milliseconds since
// 1970.
func (p part) appendDate(dst, value []byte) ([]byte, error) {
	if text, ok := raw.Unquoted(nil, value); ok {
		for _, layout := range dates {
			if at, err := time.Parse(layout, string(text)); err == nil {
				return at.UTC().AppendFormat(dst, p.layout), nil
			}
		}
	} else if millis, ok := whole(value); ok {
		return time.UnixMilli(millis).UTC().AppendFormat(dst, p.layout), nil
	}
	return nil, fmt.Errorf("the record has no date as %s", p.text)
}

// whole reads a whole number of up to 15 digits.
func whole(value []byte) (n int64, ok bool) {
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, 0 < len(value) && len(value) <= 15
}

// checkIndex is an error if a name cannot be that of one index.
func checkIndex(name []byte) error {
	switch {
	case len(name) == 0 || len(name) > maxIndex:
		return errors.New("the name of an index has 1 to 255 bytes")
	case bytes.IndexByte([]byte("_-+."), name[0]) >= 0, bytes.ContainsAny(name, "*?,/\\\"<>| #:"), bytes.ContainsFunc(name, outlaw):
		return fmt.Errorf("%q is not the name of an index", string(name))
	}
	return nil
}

// outlaw reports whether no name has a character.
func outlaw(r rune) bool { return r < ' ' || r == utf8.RuneError || unicode.IsUpper(r) }
