package s3

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// span is the keys after one and up to another, which is among them; "" is no
// end.
type span struct{ after, until string }

// String gives a text that says all bytes of both keys, though they need not
// be UTF-8, and the text is kept as JSON.
func (s span) String() string { return strconv.Quote(s.after) + " " + strconv.Quote(s.until) }

// parseSpan reads what String gave.
func parseSpan(text string) (s span, err error) {
	first, err := strconv.QuotedPrefix(text)
	if err == nil {
		s.after, err = strconv.Unquote(first)
	}
	rest, ok := strings.CutPrefix(text[len(first):], " ")
	if err == nil && ok {
		s.until, err = strconv.Unquote(rest)
	}
	if err != nil || !ok {
		return s, fmt.Errorf("%q is not a range of keys", text)
	}
	return s, nil
}

// token is a key in a position, which is kept as JSON.
func token(key string) string {
	if utf8.ValidString(key) && !strings.HasPrefix(key, `"`) {
		return key
	}
	return strconv.Quote(key)
}

// untoken reads what token gave.
func untoken(t string) (string, error) {
	if !strings.HasPrefix(t, `"`) {
		return t, nil
	}
	key, err := strconv.Unquote(t)
	if err != nil {
		return "", fmt.Errorf("position %q: %w", t, err)
	}
	return key, nil
}

// spec is what a lane reads, as the plan keeps it.
type spec struct {
	Keys string // a span, hintLanes or metadataLane
	times
}

func (s spec) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and times
	}
	return string(b)
}

func parseSpec(text string) (s spec, keys span, err error) {
	if err = json.Unmarshal([]byte(text), &s); err != nil {
		return s, keys, fmt.Errorf("plan %q: %w", text, err)
	}
	if s.Keys == hintLanes || s.Keys == metadataLane {
		return s, keys, nil
	}
	keys, err = parseSpan(s.Keys)
	return s, keys, err
}
