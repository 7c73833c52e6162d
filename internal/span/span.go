// Package span divides keys that are found in order into ranges of about the
// same weight, from which a source makes its lanes.
package span

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/pipeline"
)

// PerLane is how many ranges there are for each lane that runs at a time.
const PerLane = 4

// Span is the keys after one key, up to another. It is plain data.
type Span struct{ After, Last Key }

// Key is a key of any bytes that is kept as text.
type Key string

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(Token(string(k))), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(text []byte) error {
	key, err := Untoken(string(text))
	*k = Key(key)
	return err
}

// String is the text of a span in a Spec.
func (s Span) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is plain text
	}
	return string(text)
}

// Parse reads what String gave.
func Parse(text string) (s Span, err error) {
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("plan %q: %w", text, err)
	}
	return s, nil
}

// Spans are ranges that follow each other. The zero Spans is one.
type Spans struct {
	parallel int
	all      []weighed
}

// For gives ranges for lanes of which so many run at a time.
func For(parallel int) *Spans { return &Spans{parallel: parallel} }

type weighed struct {
	Span
	bytes, weight int64
}

// perKey is what a key weighs beside its bytes.
const perKey = 16 << 10

// most is how many ranges there are at most: one alone where nothing runs
// beside it.
func (s *Spans) most() int {
	if s.parallel <= 1 {
		return 1
	}
	return PerLane * s.parallel
}

// Add takes the next key, and the size of what it names in bytes. If there are
// too many ranges then, the two neighbours that weigh the least together become
// one.
func (s *Spans) Add(key string, size int64) {
	next := weighed{Span{Last: Key(key)}, size, size + perKey}
	if n := len(s.all); n > 0 {
		next.After = s.all[n-1].Last
	}
	s.all = append(s.all, next)
	if len(s.all) <= s.most() {
		return
	}
	at := 0
	for i := range len(s.all) - 1 {
		if s.all[i].weight+s.all[i+1].weight < s.all[at].weight+s.all[at+1].weight {
			at = i
		}
	}
	one, other := &s.all[at], s.all[at+1]
	one.Last, one.bytes, one.weight = other.Last, one.bytes+other.bytes, one.weight+other.weight
	s.all = append(s.all[:at+1], s.all[at+2:]...)
}

// Lanes makes a lane of each range, and an empty one if there is none: with
// name, share and bytes. complete gives it the rest.
func (s *Spans) Lanes(complete func(lane *pipeline.Lane, of Span)) []pipeline.Lane {
	if len(s.all) == 0 {
		s.all = []weighed{{}}
	}
	lanes := make([]pipeline.Lane, len(s.all))
	digits := len(fmt.Sprint(len(lanes) - 1))
	for i, w := range s.all {
		lanes[i] = pipeline.Lane{Name: fmt.Sprintf("%0*d", digits, i), Part: i, Parts: len(lanes), Bytes: w.bytes}
		complete(&lanes[i], w.Span)
	}
	return lanes
}

// Token names a key in positions, which are text.
func Token(key string) string {
	if utf8.ValidString(key) {
		return key
	}
	return "\x00" + hex.EncodeToString([]byte(key))
}

// Untoken reads what Token gave.
func Untoken(token string) (key string, err error) {
	raw, ok := strings.CutPrefix(token, "\x00")
	if !ok {
		return token, nil
	}
	b, err := hex.DecodeString(raw)
	if err != nil {
		return "", fmt.Errorf("position %q: %w", token, err)
	}
	return string(b), nil
}
