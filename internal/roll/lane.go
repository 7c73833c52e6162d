package roll

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sluice/internal/crash"
	"sluice/pipeline"
)

// lane is one call of Write for a rolled template.
type lane struct {
	*Writer
	pipeline.Lane
	unit     pipeline.Unit
	next     int64 // number of the object that is next or under way
	object   *object
	from     pipeline.Position // where that object begins
	begun    bool              // from is set
	end      pipeline.Position // of the last item; zero: no unit may end here
	recorded bool              // that it is known where the object ends: an earlier run ended it, or this one is about to
	cut      pipeline.Position // there; zero: not at a position
	index    string            // of the lane's items, if the key names it
	timer    *time.Timer       // ends the object when it is old
	old      bool              // it is, but there was no position yet
	stopped  bool              // the input has ended because the run stops
	notes    []pipeline.Row    // of the objects of the unit
	buf      []byte
	first    lazy // of the item that is copied
}

// object is an object under way.
type object struct {
	tally
	key, index string
	records    int64
	unknown    bool // nobody has counted the records of one of its items
}

// mostItems is how many items one object holds, at most: what is known of them
// is in memory until it is durable.
const mostItems = 5_000

// rolled serves a lane whose items share objects.
func (w *Writer) rolled(ctx context.Context, in pipeline.Lane, state string, items <-chan *pipeline.Item) (err error) {
	l := &lane{Writer: w, Lane: in, timer: time.NewTimer(time.Hour), buf: make([]byte, copyBuffer)}
	l.timer.Stop()
	if state != "" {
		if l.next, err = strconv.ParseInt(state, 10, 64); err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
	again, err := l.begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.abort(ctx)) }()
	for more := true; more; {
		if more, err = l.step(ctx, items); err != nil {
			return err
		}
	}
	if err := l.finish(ctx); err != nil {
		return err
	}
	if !again && l.Start == 0 {
		return nil
	}
	return l.sweep(ctx, l.Lane, l.index, l.next)
}

// step takes an item, or ends an object that has become old.
func (l *lane) step(ctx context.Context, items <-chan *pipeline.Item) (more bool, err error) {
	w := pipeline.Await(ctx, items)
	select {
	case <-l.timer.C:
		w.End()
		l.old = true
		return true, l.cutIfOld(ctx)
	case it, ok := <-items:
		w.End()
		if !ok && ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !ok {
			return false, nil
		}
		pipeline.Moved(ctx)
		return true, l.take(ctx, it)
	case <-ctx.Done():
		w.End()
		return false, context.Cause(ctx)
	}
}

// take puts an item into the object, and ends the object where that is due.
func (l *lane) take(ctx context.Context, it *pipeline.Item) error {
	if err := l.check(it); err != nil {
		return err
	}
	if o := l.object; o != nil && l.Roll.Records > 0 && o.records+max(0, it.Records) > l.Roll.Records {
		if err := l.complete(ctx); err != nil {
			return err
		}
	}
	if err := l.mark(it); err != nil {
		return err
	}
	if err := l.copy(ctx, it); err != nil {
		return err
	}
	l.end = it.Pos
	l.unit.Add(it)
	if l.end == (pipeline.Position{}) {
		return nil
	}
	l.end.Hint = ""
	if o := l.object; l.end == l.cut || o != nil && l.Roll.Bytes > 0 && o.bytes >= int64(l.Roll.Bytes) || l.unit.Len() >= mostItems {
		return l.complete(ctx)
	}
	return l.cutIfOld(ctx)
}

// check refuses what cannot be put into an object.
func (l *lane) check(it *pipeline.Item) error {
	if it.Delete {
		return fmt.Errorf("%s: it was deleted at the source, and an object of several items cannot lose one: leave {sequence} out of the key", it.Key)
	}
	if l.Roll.Records > 0 && it.Records > l.Roll.Records {
		return fmt.Errorf("%s: one block holds %d records, more than roll.records %d, and blocks are not divided: raise roll.records", it.Key, it.Records, l.Roll.Records)
	}
	if !l.Key.Has("index") {
		return nil
	}
	index := indexOf(it)
	if l.index != "" && index != l.index {
		return fmt.Errorf("%s: the lane holds items of the indices %s and %s: use {lane} in the key, not {index}", it.Key, l.index, index)
	}
	l.index = index
	return nil
}

// mark notes where an object begins, even if its first item brings no bytes.
func (l *lane) mark(it *pipeline.Item) (err error) {
	if l.begun {
		return nil
	}
	l.begun, l.from = true, it.From
	l.cut, l.recorded, err = l.recordedCut()
	return err
}

// copy writes the body to the object.
func (l *lane) copy(ctx context.Context, it *pipeline.Item) error {
	l.first = lazy{ctx: ctx, lane: l, it: it}
	n, err := Copy(ctx, &l.first, it, l.buf)
	switch {
	case err == nil:
		it.Size = n
	case errors.Is(err, pipeline.ErrGone) && n == 0:
		return it.GiveUp(ctx, err) // else the object holds a part of it
	default:
		return err
	}
	if o := l.object; o != nil {
		o.records += max(0, it.Records)
		o.unknown = o.unknown || it.Records < 0
	}
	return nil
}

// lazy creates the object with the first byte.
type lazy struct {
	ctx  context.Context
	lane *lane
	it   *pipeline.Item
}

// Write implements [io.Writer].
func (w *lazy) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.lane.object == nil {
		if err := w.lane.create(w.ctx, w.it); err != nil {
			return 0, err
		}
	}
	return w.lane.object.Write(p)
}

// create begins the next object.
func (l *lane) create(ctx context.Context, it *pipeline.Item) error {
	key, err := l.render(l.Lane, l.index, l.next)
	if err != nil {
		return err
	}
	o, err := l.target.Create(ctx, Draft{Key: key, Owner: l.owner(), First: it})
	if err != nil {
		return err
	}
	l.object = &object{tally: l.tally(o), key: key, index: indexOf(it)}
	if l.Roll.Every > 0 && !l.recorded {
		l.timer.Reset(time.Duration(l.Roll.Every))
	}
	return nil
}

func (l *lane) owner() Owner {
	return Owner{Pipeline: l.pass.Pipeline, Pass: l.pass.Number, Lane: l.ID, Start: l.Start, From: place(l.from)}
}

// cutIfOld ends an object that is old, if a unit may end here.
func (l *lane) cutIfOld(ctx context.Context) error {
	if !l.old || l.object == nil || l.end == (pipeline.Position{}) {
		return nil
	}
	return l.complete(ctx)
}

// complete makes the object visible and, if a unit may end here, says that
// what is in it is done. If none may, the next objects belong to the same unit.
func (l *lane) complete(ctx context.Context) error {
	if l.object != nil {
		if err := l.commit(ctx); err != nil {
			return err
		}
	}
	l.begun, l.old, l.recorded, l.cut = false, false, false, pipeline.Position{}
	l.timer.Stop()
	if l.end == (pipeline.Position{}) {
		return nil
	}
	return l.done()
}

// commit makes the object visible. Where it ends is recorded first if that
// depends on time: also of an object that ended for another reason, because a
// replay is slower or faster and could end it sooner.
func (l *lane) commit(ctx context.Context) error {
	timely := l.Roll.Every > 0 || l.stopped
	if timely && (!l.recorded || l.end != l.cut) {
		if err := l.recordCut(); err != nil {
			return err
		}
		crash.Point(crash.AfterCut)
	}
	if err := l.object.Commit(ctx); err != nil {
		return err
	}
	crash.Point(crash.AfterComplete)
	l.unit.Counts.ObjectsWritten++
	if l.recorded {
		l.notes = append(l.notes, l.cutRow()) // not needed once it is passed
	}
	if err := l.noteLine(); err != nil {
		return err
	}
	l.object = nil
	l.next++
	return nil
}

// noteLine adds the line of the manifest.
func (l *lane) noteLine() error {
	o := l.object
	line := Line{Lane: l.Name, Start: l.Start, Index: o.index, First: place(l.from), Last: place(l.end)}
	if !o.unknown {
		line.Records = &o.records
	}
	notes, err := l.line(o.key, &o.tally, line)
	l.notes = append(l.notes, notes...)
	return err
}

func (l *lane) done() error {
	notes := l.notes
	l.notes = nil
	return l.unit.Done(strconv.FormatInt(l.next, 10), notes...)
}

// finish ends what is under way when the input has ended. If it ended because
// the run stops, the object ends at another place than it would have.
func (l *lane) finish(ctx context.Context) error {
	if l.unit.Len() == 0 {
		return nil
	}
	select {
	case <-pipeline.Stopping(ctx):
		if l.end == (pipeline.Position{}) {
			return nil // not done: it is read again
		}
		l.stopped = true
	default:
	}
	if l.object != nil {
		if err := l.commit(ctx); err != nil {
			return err
		}
	}
	return l.done() // also without a position: an item without a body may have brought it
}

// abort ends an object that is not to be.
func (l *lane) abort(ctx context.Context) error {
	l.timer.Stop()
	if l.object == nil {
		return nil
	}
	o := l.object
	l.object = nil
	return abort(ctx, o)
}
