package roll

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/pipeline"
)

// InFlight is how many objects of single items a lane commits, at most, while
// it writes the next.
const InFlight = 16

// singles is one call of Write that makes an object of each item.
type singles struct {
	*Writer
	pipeline.Lane
	group   *errgroup.Group
	last    *string       // key of the item before
	reading chan struct{} // holds something while a body is read, into memory that there is once for a lane
	buf     []byte

	mu     sync.Mutex
	flying map[string]chan struct{} // objects under way, by key: each is closed when it is not any more
}

// singly serves a lane whose items are objects of their own.
func (w *Writer) singly(ctx context.Context, in pipeline.Lane, items <-chan *pipeline.Item) error {
	if err := w.commitAll(ctx, in, items); err != nil || in.Start == 0 {
		return err
	}
	return w.sweep(ctx, in, "", 0)
}

// commitAll makes the objects. An error of one ends those that are under way.
func (w *Writer) commitAll(ctx context.Context, in pipeline.Lane, items <-chan *pipeline.Item) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s := &singles{Writer: w, Lane: in, buf: make([]byte, copyBuffer), reading: make(chan struct{}, 1), flying: map[string]chan struct{}{}}
	s.group, ctx = errgroup.WithContext(ctx)
	s.group.SetLimit(InFlight)
	for {
		it, ok, err := pipeline.Receive(ctx, items)
		if err == nil && ok {
			err = s.take(ctx, it)
		}
		if err != nil {
			fail(err)
			s.group.Wait() // what failed first is in err: it ended ctx, or was seen here
			return err
		}
		if !ok {
			return s.group.Wait()
		}
	}
}

// take makes the object of an item, or begins to.
func (s *singles) take(ctx context.Context, it *pipeline.Item) error {
	if it.Delete {
		return s.remove(ctx, it)
	}
	o, err := s.create(ctx, it)
	if err != nil {
		return err
	}
	if c, ok := o.Object.(Copier); ok {
		s.fly(o, func() error { return o.copy(ctx, c) })
		return nil
	}
	later, err := o.write(ctx)
	if later {
		s.fly(o, func() error { return o.end(ctx, o.Commit(ctx)) })
		return nil
	}
	return o.end(ctx, err)
}

// create begins the object of an item.
func (s *singles) create(ctx context.Context, it *pipeline.Item) (*single, error) {
	if _, block := it.Body.(*pipeline.Block); block && !s.Aside {
		return nil, fmt.Errorf("%s: several items share this key: add {sequence} to the key of objects", it.Key)
	}
	if s.last != nil && it.Key == *s.last && !s.Key.Has("version") {
		return nil, fmt.Errorf("%s: several items share this key: add {version} to the key of objects, or {sequence}", it.Key)
	}
	s.last = &it.Key
	key, err := s.KeyOf(s.Lane, it)
	if err != nil {
		return nil, err
	}
	if err := s.landed(ctx, key); err != nil {
		return nil, err
	}
	o := &single{singles: s, it: it, key: key}
	return o, o.begin(ctx)
}

// landed waits until no object of the key is under way.
func (s *singles) landed(ctx context.Context, key string) error {
	s.mu.Lock()
	under := s.flying[key]
	s.mu.Unlock()
	if under == nil {
		return nil
	}
	select {
	case <-under:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fly lets f do the rest of an object while the next items are read. It waits
// until there are not too many.
func (s *singles) fly(o *single, f func() error) {
	landed := make(chan struct{})
	s.mu.Lock()
	s.flying[o.key] = landed
	s.mu.Unlock()
	s.group.Go(func() error {
		defer func() {
			s.mu.Lock()
			delete(s.flying, o.key)
			s.mu.Unlock()
			close(landed)
		}()
		return f()
	})
}

// single is an object of one item.
type single struct {
	tally
	*singles
	it  *pipeline.Item
	key string
}

// begin begins the object.
func (o *single) begin(ctx context.Context) error {
	made, err := o.target.Create(ctx, Draft{Key: o.key, Owner: o.ownerOf(o.Lane, o.it), First: o.it, Beside: o.Aside})
	if err == nil {
		o.tally = o.singles.tally(made)
	}
	return err
}

// write reads the body, and commits the object unless that may be done later. An
// item that others have taken the place of meanwhile begins again: nothing of it
// is visible yet.
func (o *single) write(ctx context.Context) (later bool, err error) {
	for {
		later, err = o.once(ctx)
		if !errors.Is(err, pipeline.ErrGone) {
			return later, err
		}
		renewed, rerr := o.it.Renew(ctx, err)
		if rerr != nil || !renewed {
			return false, errors.Join(err, rerr)
		}
		err = abort(ctx, o.Object)
		if o.tally = (tally{}); err != nil {
			return false, err
		}
		if err := o.begin(ctx); err != nil {
			return false, err
		}
	}
}

func (o *single) once(ctx context.Context) (later bool, err error) {
	if err := pipeline.Send(ctx, o.reading, struct{}{}); err != nil {
		return false, err
	}
	defer func() { <-o.reading }()
	n, err := Copy(ctx, &o.tally, o.it, o.buf)
	if err != nil {
		return false, err
	}
	o.it.Size = n
	o.it.Release()
	if l, ok := o.Object.(Later); ok && l.Later() {
		return true, nil
	}
	return false, o.Commit(ctx)
}

// copy has the object made without reading the item, or else makes it.
func (o *single) copy(ctx context.Context, c Copier) error {
	n, ok, err := c.Copy(ctx)
	if err != nil {
		return o.end(ctx, err)
	}
	if ok {
		o.bytes, o.it.Size, o.sum = n, n, nil
		return o.end(ctx, nil)
	}
	later, err := o.write(ctx)
	if later {
		err = o.Commit(ctx)
	}
	return o.end(ctx, err)
}

// end says what became of the item.
func (o *single) end(ctx context.Context, err error) error {
	if err != nil && o.Object != nil {
		err = errors.Join(err, abort(ctx, o.Object))
	}
	if errors.Is(err, pipeline.ErrGone) {
		if err = o.it.GiveUp(ctx, err); err == nil {
			return o.it.Done()
		}
	}
	if err != nil {
		return err
	}
	crash.Point(crash.AfterComplete)
	line := Line{Lane: o.Name, Start: o.Start, Index: indexOf(o.it), First: place(o.it.From), Last: place(o.it.Pos), Item: o.it.Key, Version: o.it.Version}
	if o.it.Records >= 0 {
		line.Records = &o.it.Records
	}
	notes, err := o.line(o.key, &o.tally, line)
	if err != nil {
		return err
	}
	notes = append(notes, o.made(o.key, o.it, &o.tally)...)
	u := pipeline.Unit{Counts: pipeline.Counts{ObjectsWritten: 1}}
	u.Add(o.it)
	return u.Done("", notes...)
}
