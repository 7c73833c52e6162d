package keys

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// next parses one part at the beginning of text and returns its length.
func (t *Template) next(text string) (int, error) {
	if text[0] != '{' {
		n := strings.IndexAny(text, "{}")
		switch {
		case n < 0:
			n = len(text)
		case n == 0:
			return 0, errors.New("} without {")
		}
		t.parts = append(t.parts, part{text: text[:n]})
		return n, nil
	}
	end := strings.IndexByte(text, '}')
	if end < 0 {
		return 0, errors.New("{ without }")
	}
	p, err := field(text[1:end])
	t.parts = append(t.parts, p)
	return end + 1, err
}

// field parses what is between braces.
func field(text string) (p part, err error) {
	var arg bool
	p.field, p.text, arg = strings.Cut(text, ":")
	switch p.field {
	case "index", "lane", "key", "stem", "ext", "version":
		if arg {
			return p, fmt.Errorf("{%s} takes nothing after it: write {%s}", text, p.field)
		}
	case "sequence", "pass":
		if !arg {
			return p, nil
		}
		if p.width, err = strconv.Atoi(p.text); err != nil || p.width < 1 || p.width > 18 {
			return p, fmt.Errorf("{%s}: write a number of digits from 1 to 18, as in {%s:6}", text, p.field)
		}
	case "date":
		if fixed(p.text) == "" {
			return p, fmt.Errorf("{%s}: write the date as 2006/01/02, with 2006 01 02 15 04 05 and any of / - _ . between them", text)
		}
	default:
		return p, fmt.Errorf("unknown field {%s}: there are {index} {lane} {sequence} {pass} {date:2006/01/02} {key} {stem} {ext} {version}", text)
	}
	return p, nil
}

// fixed is the layout if every date in it has the same length, else "".
func fixed(layout string) string {
	rest := strings.NewReplacer("2006", "", "01", "", "02", "", "15", "", "04", "", "05", "").Replace(layout)
	if rest == layout || strings.Trim(rest, "/-_.") != "" {
		return ""
	}
	return layout
}

// value is what stands for a part.
func (t *Template) value(p part, v Values) (string, error) {
	switch p.field {
	case "":
		return p.text, nil
	case "index":
		return name(p.field, v.Index)
	case "lane":
		return name(p.field, v.Lane)
	case "version":
		return name(p.field, v.Version)
	case "sequence":
		return fmt.Sprintf("%0*d", p.width, v.Sequence), nil
	case "pass":
		return fmt.Sprintf("%0*d", p.width, v.Pass), nil
	case "date":
		return v.Date.UTC().Format(p.text), nil
	}
	if v.Key == "" {
		return "", errors.New("the item has no key")
	}
	if err := t.clean(v.Key); err != nil {
		return "", fmt.Errorf("item %q: %w", v.Key, err)
	}
	stem, ext := split(v.Key)
	switch p.field {
	case "stem":
		return stem, nil
	case "ext":
		return ext, nil
	}
	return v.Key, nil
}

// name checks the name of an index, a lane or a version.
func name(field, s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("the items have no %s: leave {%s} out of the key", field, field)
	case s == ".", s == "..", strings.Contains(s, "/"), control(s):
		return "", fmt.Errorf("%s %q cannot be part of a key", field, s)
	}
	return s, nil
}

// split cuts a key before the last dot of its last segment. A segment that
// only begins with a dot has no ext.
func split(key string) (stem, ext string) {
	ext = path.Ext(key)
	stem = strings.TrimSuffix(key, ext)
	if stem == "" || strings.HasSuffix(stem, "/") {
		return key, ""
	}
	return stem, ext
}

// clean says what is wrong with a key in the template's style.
func (t *Template) clean(key string) error {
	if t.style == Objects {
		return nil
	}
	if control(key) {
		return errors.New("a control byte cannot be part of a path")
	}
	for s := range strings.SplitSeq(key, "/") {
		switch s {
		case "":
			return errors.New("a path is relative and has no empty segment")
		case ".", "..":
			return fmt.Errorf("a path has no segment %s", s)
		}
	}
	return nil
}

func control(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// sample is the template with harmless values.
func (t *Template) sample() string {
	v := Values{Index: "i", Lane: "l", Key: "k", Version: "v", Date: time.Unix(0, 0)}
	var b strings.Builder
	for _, p := range t.parts {
		if p.field == "ext" {
			b.WriteByte('x')
			continue
		}
		s, _ := t.value(p, v)
		b.WriteString(s)
	}
	return b.String()
}
