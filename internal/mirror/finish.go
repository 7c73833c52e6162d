package mirror

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// together is how many objects are asked about or deleted at a time.
const together = 16

// Finish implements [pipeline.Writer]: it deletes what the source no longer has.
func (w *Writer) Finish(ctx context.Context) error {
	w.mu.Lock()
	err := w.flush()
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if err := w.spare(); err != nil {
		return err
	}
	s := &survey{Writer: w, rows: Cursor[row]{Page: w.page}}
	if err := s.run(ctx); err != nil {
		return err
	}
	if s.foreign > 0 {
		pipeline.Logger(ctx).Warn("objects that the source does not have, and this pipeline did not make: they stay", "count", s.foreign, "last", w.target.Name(s.stranger))
	}
	if s.differ > 0 {
		return fmt.Errorf("mirror: %d of %d objects below %s were changed or removed by others, the last of them %s: run again, and they are copied again",
			s.differ, s.there, w.target.Name(w.config.Key.Literal()), w.target.Name(s.example))
	}
	if w.config.DryRun != nil { // also says what is too much
		if err := w.execute(ctx); err != nil {
			return err
		}
	}
	if most := w.config.MaxDelete.Of(s.there - s.foreign); s.doomed > most {
		return fmt.Errorf("mirror: %d of %d objects below %s are to be deleted, more than max_delete: %s allows: nothing was deleted; if the source is as it should be, run with --max-delete %d, or raise max_delete",
			s.doomed, s.there-s.foreign, w.target.Name(w.config.Key.Literal()), w.config.MaxDelete, s.doomed)
	}
	return w.execute(ctx)
}

// spare forgets what an earlier Finish was about to delete.
func (w *Writer) spare() error {
	for {
		doomed, last, err := Rows(w.store, doomedBucket, "", decode[roll.Stamp])
		if err != nil {
			return err
		}
		gone := make([]pipeline.Row, len(doomed))
		for i, d := range doomed {
			gone[i] = pipeline.Row{Bucket: doomedBucket, Key: d.Key}
		}
		if err := put(w.store, gone); err != nil || last {
			return err
		}
	}
}

// put writes rows, if there are any.
func put(s pipeline.Store, rows []pipeline.Row) error {
	if len(rows) == 0 {
		return nil
	}
	return s.Put(rows...)
}

// survey compares what is there with what the walk has seen.
type survey struct {
	*Writer
	rows  Cursor[row]
	out   []pipeline.Row // to be written
	extra []extra        // to be judged

	there, doomed, foreign, differ int64
	example, stranger              string // one that differs; one that is foreign
}

// extra is an object that the walk has not seen.
type extra struct {
	There
	known, ours bool // ours, if it is known whose it is
}

func (s *survey) run(ctx context.Context) error {
	err := s.target.List(ctx, s.config.Key.Literal(), func(o There) error {
		for {
			r, err := s.rows.Peek(ctx)
			if err != nil {
				return err
			}
			if r == nil || r.Key >= o.Key {
				return s.object(ctx, o, r)
			}
			if err := s.missing(r); err != nil {
				return err
			}
		}
	})
	for err == nil {
		var r *Entry[row]
		if r, err = s.rows.Peek(ctx); r == nil {
			break
		}
		err = s.missing(r)
	}
	if err == nil {
		err = s.judge(ctx)
	}
	if err == nil {
		err = put(s.store, s.out)
	}
	return err
}

// object takes an object that is there. r is the row that is next; it may be of
// another key.
func (s *survey) object(ctx context.Context, o There, r *Entry[row]) error {
	s.there++
	e := extra{There: o, known: s.config.Overwrite == roll.Always, ours: true}
	if r != nil && r.Key == o.Key {
		s.rows.Pass()
		as := r.Value.Stamp == o.Stamp
		switch seen := r.Value.Walk == s.walk; {
		case seen && (r.Value.is(expected) || as):
			return nil
		case seen:
			return s.differs(o.Key)
		case as && !e.known:
			e.known, e.ours = r.Value.is(written) || r.Value.is(foreign), r.Value.is(written)
		}
	}
	if s.extra = append(s.extra, e); len(s.extra) < batch {
		return nil
	}
	return s.judge(ctx)
}

// missing takes a row whose object is not there.
func (s *survey) missing(r *Entry[row]) error {
	s.rows.Pass()
	if r.Value.Walk == s.walk && r.Value.is(written) {
		return s.differs(r.Key)
	}
	return s.forget(r.Key)
}

func (s *survey) differs(key string) error {
	s.differ++
	s.example = key
	return s.forget(key)
}

func (s *survey) forget(key string) error { return s.put(pipeline.Row{Bucket: rowBucket, Key: key}) }

func (s *survey) put(r pipeline.Row) error {
	if s.out = append(s.out, r); len(s.out) < batch {
		return nil
	}
	err := s.store.Put(s.out...)
	s.out = s.out[:0]
	return err
}

// judge finds out whose the extra objects are, and notes which are to be deleted.
func (s *survey) judge(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i := range s.extra {
		if e := &s.extra[i]; !e.known {
			g.Go(func() (err error) {
				e.ours, err = s.target.Made(gctx, e.There)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range s.extra {
		if err := s.put(s.sentence(e)); err != nil {
			return err
		}
	}
	s.extra = s.extra[:0]
	return nil
}

// sentence counts an extra object, and gives the row that says what it is.
func (s *survey) sentence(e extra) pipeline.Row {
	if e.ours {
		s.doomed++
		return pipeline.Row{Bucket: doomedBucket, Key: e.Key, Value: encode(e.Stamp)}
	}
	s.foreign++
	s.stranger = e.Key
	return row{State: foreign, Stamp: e.Stamp}.at(e.Key)
}

// execute deletes what is doomed, and its rows.
func (w *Writer) execute(ctx context.Context) error {
	for {
		doomed, last, err := Rows(w.store, doomedBucket, "", decode[roll.Stamp])
		if err != nil {
			return err
		}
		var deleted atomic.Int64
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(together)
		var gone []pipeline.Row
		for _, d := range doomed {
			gone = append(gone, pipeline.Row{Bucket: doomedBucket, Key: d.Key}, pipeline.Row{Bucket: rowBucket, Key: d.Key})
			g.Go(func() error {
				ok, err := w.delete(gctx, There{d.Key, d.Value})
				if ok {
					deleted.Add(1)
				}
				return err
			})
		}
		err = g.Wait()
		w.mu.Lock()
		w.deleted += deleted.Load()
		w.mu.Unlock()
		if err == nil {
			err = put(w.store, gone)
		}
		if err != nil || last {
			return err
		}
	}
}

func (w *Writer) delete(ctx context.Context, o There) (bool, error) {
	if w.config.DryRun != nil {
		w.say(kind.Gone, o.Key, o.Size)
		return false, nil
	}
	return w.target.Delete(ctx, o)
}
