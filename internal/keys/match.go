package keys

import (
	"regexp"
	"strconv"
	"strings"
)

// varies says whether the part differs between objects of one lane, or is not
// known.
func (p part) varies(v Values) bool {
	switch p.field {
	case "sequence":
		return true
	case "key", "stem", "ext":
		return v.Key == ""
	case "version":
		return v.Version == ""
	case "index":
		return v.Index == ""
	case "lane":
		return v.Lane == ""
	}
	return false
}

// Matcher returns a function that says whether key could be that of an object
// of the lane and pass in v, and with which {sequence} (0 if there is none). An
// empty Index of v stands for any, an empty Key likewise.
func (t *Template) Matcher(v Values) (func(key string) (sequence int64, ok bool), error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, p := range t.parts {
		switch {
		case p.field == "sequence":
			b.WriteString(`([0-9]+)`)
		case p.varies(v):
			b.WriteString(`.*`)
		default:
			s, err := t.value(p, v)
			if err != nil {
				return nil, err
			}
			b.WriteString(regexp.QuoteMeta(s))
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return nil, err
	}
	return func(key string) (int64, bool) {
		m := re.FindStringSubmatch(key)
		if m == nil || len(m) == 1 {
			return 0, m != nil
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		return n, err == nil
	}, nil
}
