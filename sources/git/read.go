package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sluice/internal/span"
	"sluice/pipeline"
)

// place is how far a lane is: in what was deleted, which comes first, or in the
// files.
type place struct {
	files bool
	key   string
}

const (
	inDeleted = "-"
	inFiles   = "+"
)

func (p place) token() string {
	if p.files {
		return inFiles + span.Token(p.key)
	}
	return inDeleted + span.Token(p.key)
}

func parsePlace(token string) (p place, err error) {
	if token == "" {
		return p, nil
	}
	rest, files := strings.CutPrefix(token, inFiles)
	if !files && !strings.HasPrefix(token, inDeleted) {
		return p, fmt.Errorf("position %q is none", token)
	}
	if !files {
		rest = token[len(inDeleted):]
	}
	key, err := span.Untoken(rest)
	return place{files, key}, err
}

// Read implements [pipeline.Reader].
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	s, err := parseSpec(lane.Spec)
	if err != nil || s.nothing() {
		return err
	}
	at, err := parsePlace(from.Token)
	if err != nil {
		return err
	}
	if err := r.fetch(ctx, s); err != nil {
		return err
	}
	w := &walk{reader: r, spec: s, last: lane.Part == lane.Parts-1, out: out}
	if s.Base != "" && !at.files {
		if err := w.deleted(ctx, at.key); err != nil {
			return err
		}
	}
	if !at.files {
		at.key = ""
	}
	if from.Inner != "" { // that one comes first: patterns may choose others before it by now
		return w.files(ctx, at.key, from.Key)
	}
	return w.files(ctx, at.key, "")
}

// walk is one call of Read.
type walk struct {
	*reader
	spec
	last bool // lane of the pass
	out  chan<- *pipeline.Item
}

// errPast ends a walk at the end of the lane.
var errPast = errors.New("past the end of the lane")

// through calls take for what a list has of the lane after a key.
func (w *walk) through(list func(func(file) error) error, after string, of what, take func(file) error) error {
	after = max(after, string(w.After))
	err := list(func(f file) error {
		switch {
		case !w.walk_last() && f.key > string(w.Last):
			return errPast
		case f.key <= after || f.what != of:
			return nil
		}
		return take(f)
	})
	if errors.Is(err, errPast) {
		return nil
	}
	return err
}
