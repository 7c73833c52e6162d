package file

import (
	"encoding/json"
	"fmt"

	"sluice/pipeline"
)

// spansPerLane is how many lanes are planned for one that runs at a time.
const spansPerLane = 4

// span is the keys after one key, up to another, as tokens. It is the Spec of a
// lane.
type span struct{ After, Last string }

// String is the text of a Spec.
func (s span) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is plain text
	}
	return string(text)
}

// bounds reads the Spec of a lane.
func bounds(spec string) (after, last string, err error) {
	var s span
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return "", "", fmt.Errorf("plan %q: %w", spec, err)
	}
	if after, err = untoken(s.After); err == nil {
		last, err = untoken(s.Last)
	}
	return after, last, err
}

// spans divides keys, which come in order, into a few ranges of about the same
// weight.
type spans struct {
	most int
	all  []weighed
}

type weighed struct {
	span
	bytes, weight int64
}

// perFile is what a file weighs beside its bytes.
const perFile = 16 << 10

// add takes the next key. If there are too many ranges then, the two neighbours
// that weigh the least together become one.
func (s *spans) add(key string, size int64) {
	next := weighed{span{Last: key}, size, size + perFile}
	if n := len(s.all); n > 0 {
		next.After = s.all[n-1].Last
	}
	s.all = append(s.all, next)
	if len(s.all) <= s.most {
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

// lanes makes a lane of each range, and an empty one if there is none.
func (s *spans) lanes(path string) []pipeline.Lane {
	if len(s.all) == 0 {
		s.all = []weighed{{}}
	}
	lanes := make([]pipeline.Lane, len(s.all))
	digits := len(fmt.Sprint(len(lanes) - 1))
	for i, w := range s.all {
		lanes[i] = pipeline.Lane{Name: fmt.Sprintf("%0*d", digits, i), Part: i, Parts: len(lanes), Bytes: w.bytes,
			ID: fmt.Sprintf("file %s after %q", path, w.After), Spec: w.String()}
	}
	return lanes
}
