package git

import (
	"context"
	"encoding/json"
	"fmt"

	"sluice/internal/git"
	"sluice/internal/span"
	"sluice/pipeline"
)

// spec is what a lane reads, as the plan keeps it.
type spec struct {
	span.Span         // the last lane also reads what comes after
	Commit    git.OID // whose files are read
	Base      git.OID `json:",omitempty"` // what the sink has; "": it is not known to have anything
	All       bool    `json:",omitempty"` // with a base: all files, also those that are the same in it
}

// String is the text of a Spec.
func (s spec) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is plain text
	}
	return string(text)
}

func parseSpec(text string) (s spec, err error) {
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("plan %q: %w", text, err)
	}
	return s, nil
}

// nothing says that nothing is new.
func (s spec) nothing() bool { return s.Base == s.Commit && !s.All }

// Plan implements [pipeline.Reader].
func (r *reader) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	s, err := r.next(ctx)
	if err != nil {
		return nil, err
	}
	found := span.For(r.pass.Parallel)
	if !s.nothing() {
		if err := r.fetch(ctx, s); err != nil {
			return nil, err
		}
		if err := r.divide(ctx, s, found); err != nil {
			return nil, err
		}
	}
	if err := r.remember(s.Commit); err != nil {
		return nil, err
	}
	lanes := found.Lanes(func(lane *pipeline.Lane, of span.Span) {
		s.Span = of
		lane.Spec = s.String()
		lane.ID = fmt.Sprintf("%s after %q, pass %d", r.config.Identity(), of.After, r.pass.Number)
	})
	log := pipeline.Logger(ctx)
	if s.Base != "" {
		log = log.With("since", s.Base)
	}
	log.Info("commit of the pass", "commit", s.Commit)
	return lanes, nil
}

// next finds out what the pass is to read.
func (r *reader) next(ctx context.Context) (s spec, err error) {
	if r.news {
		if s, err = r.last(); err != nil {
			return s, err
		}
	}
	if s.Base != "" {
		tip, err := r.repo.Resolve(ctx, r.config.Ref())
		if err != nil || tip == s.Base {
			s.Commit = tip
			return s, err
		}
	}
	s.Commit, err = r.tip(ctx, r.contents())
	return s, err
}

// divide finds ranges of what the pass reads, and says what it leaves out.
func (r *reader) divide(ctx context.Context, s spec, into *span.Spans) error {
	left, example := 0, ""
	list := r.changes
	if s.whole() {
		list = r.tree
	}
	err := list(ctx, s, func(f file) error {
		if f.what == other {
			left, example = left+1, f.key
			return nil
		}
		into.Add(f.key, max(0, f.size))
		return nil
	})
	if left > 0 {
		pipeline.Logger(ctx).Warn("symbolic links or submodules: left out", "count", left, "last", example)
	}
	return err
}

// takenBucket has a row for the last passes, by number: which commit they took.
// A row is written when its pass is planned, so one that is complete has one.
const takenBucket = "source.git"

// taken is such a row.
type taken struct {
	Commit git.OID
	Wanted string // what patterns chose
}

// wanted names what is chosen.
func (s *source) wanted() string { return fmt.Sprintf("%q but %q", s.config.Include, s.config.Exclude) }

func takenKey(pass int64) string { return fmt.Sprintf("%020d", pass) }

// remember notes the commit of the pass, and forgets the one before the last.
func (r *reader) remember(commit git.OID) error {
	value, err := json.Marshal(taken{commit, r.wanted()})
	if err != nil {
		return err
	}
	n := r.pass.Number
	return r.pass.Store.Put(pipeline.Row{Bucket: takenBucket, Key: takenKey(n), Value: value}, pipeline.Row{Bucket: takenBucket, Key: takenKey(n - 2)})
}

// last says from which commit the pass goes on. If others were chosen in that,
// files may be wanted now that have not changed.
func (r *reader) last() (s spec, err error) {
	value, err := r.pass.Store.Get(takenBucket, takenKey(r.pass.Number-1))
	if err != nil || value == nil {
		return s, err
	}
	var row taken
	if err := json.Unmarshal(value, &row); err != nil {
		return s, fmt.Errorf("state: commit of the last pass: %w", err)
	}
	return spec{Base: row.Commit, All: row.Wanted != r.wanted()}, nil
}
