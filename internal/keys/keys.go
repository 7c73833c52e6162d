// Package keys names what a sink writes: templates of object keys and file
// paths, such as logs/{index}/{lane}/{pass}-{sequence}.json.gz.
//
// The fields:
//
//	{index}            index of the items
//	{lane}             name of the lane
//	{sequence}         number of the object; {sequence:6} has at least 6 digits
//	{pass}             number of the pass; {pass:3} has at least 3 digits
//	{date:2006/01/02}  when the pass began, in UTC
//	{key}              key of the item
//	{stem} {ext}       key of the item in two: before its last dot, and from there on
//	{version}          version of the item, where items may share a key
//
// A template with {sequence} is rolled: an object holds several items. Without
// it each item is an object of its own.
//
// # Injectivity
//
// A template is accepted only if two different objects never get one key.
//
//   - A rolled template has {lane}, or {index}: lanes that share an index then
//     share the numbers (see [Template.Sequence]). If passes repeat it has
//     {pass}; a {date} is not enough, because two passes may begin on one date.
//   - A template of single items has {key}, or {stem} and {ext} with nothing
//     but text between them.
//   - Wherever two fields meet, the key says where one ends and the next
//     begins: numbers are delimited by text, names by slashes. {index}-{lane}
//     is refused, because a-b-c may be a-b and c, or a and b-c; {index}/{lane}
//     and {index}_s_{sequence} are accepted.
//
// # Safety
//
// What is rendered cannot leave the text before the first field. Names of
// indices and lanes hold no slash and are not . or ..; how far keys of items
// are trusted is a matter of [Style].
package keys

import (
	"fmt"
	"strings"
	"time"

	"sluice/pipeline"
)

// Style is what keys are to the sink.
type Style int

const (
	// Files are paths below a directory. Every segment of what is rendered has
	// a name that is not . or .., and there are no control bytes.
	Files Style = iota
	// Objects are keys of a bucket, which has no directories: keys of items are
	// kept byte for byte.
	Objects
)

// Values are what fields stand for.
type Values struct {
	Index, Lane    string
	Sequence, Pass int64
	Date           time.Time
	Key, Version   string // of the item
}

// Template is a parsed template. It does not change; its methods may be called
// from several goroutines.
type Template struct {
	text  string
	style Style
	parts []part
}

// part is literal text, or a field with what follows its colon.
type part struct {
	field string // "" for text
	text  string // of a literal; of a field: the argument
	width int    // digits of a number, at least
}

// Parse reads a template. An error says what is wrong and at which byte,
// counted from 1.
func Parse(text string, style Style) (*Template, error) {
	t := &Template{text: text, style: style}
	if text == "" {
		return nil, fmt.Errorf("the key is empty")
	}
	for at := 0; at < len(text); {
		n, err := t.next(text[at:])
		if err != nil {
			return nil, fmt.Errorf("%q: at byte %d: %w", text, at+1, err)
		}
		at += n
	}
	if err := t.clean(t.sample()); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return t, nil
}

// String returns the text of the template.
func (t *Template) String() string { return t.text }

// Rolled says whether objects hold several items.
func (t *Template) Rolled() bool { return t.Has("sequence") }

// Has says whether the template has the field.
func (t *Template) Has(field string) bool {
	for _, p := range t.parts {
		if p.field == field {
			return true
		}
	}
	return false
}

// Passing is the first field whose value may be another for the same item in
// another pass, or "".
func (t *Template) Passing() string {
	for _, f := range []string{"sequence", "pass", "date", "lane", "version"} {
		if t.Has(f) {
			return f
		}
	}
	return ""
}

// Sequence is the number of the k-th object of a lane, from 0. Lanes that
// share an index share the numbers too if the template does not name the lane:
// the k-th object of part i of n has number k·n+i.
func (t *Template) Sequence(lane pipeline.Lane, k int64) int64 {
	if t.Has("lane") {
		return k
	}
	return k*int64(max(1, lane.Parts)) + int64(lane.Part)
}

// Render returns the key for v. An error names the value that cannot be part
// of a key.
func (t *Template) Render(v Values) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		s, err := t.value(p, v)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	key := b.String()
	if err := t.clean(key); err != nil {
		return "", fmt.Errorf("%q: %w", key, err)
	}
	return key, nil
}

// Prefix returns what all keys of one lane in one pass begin with: the
// template up to the first field that v leaves empty or that differs between
// objects of a lane.
func (t *Template) Prefix(v Values) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.varies(v) {
			break
		}
		s, err := t.value(p, v)
		if err != nil {
			break
		}
		b.WriteString(s)
	}
	return b.String()
}
