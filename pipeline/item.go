package pipeline

import (
	"context"
	"errors"
	"io"
	"time"
)

// Position is a place in a lane, between two records. It is plain data. The
// zero Position is the beginning of a lane; on an item it says "no position".
type Position struct {
	Token string // of the source: where to read on
	Inner string // of a stage that splits: how far into the item that follows Token
	Key   string // that item, if Inner is set
	// Version of that item; Inner holds for these bytes only.
	Version string
	Hint    string // of that stage: how to get there fast; two positions that differ only here are the same place
}

// Counts says what became of records. Up to every position of a lane,
// Read + Created = Written + Filtered + Dead, unless Unknown is not 0.
type Counts struct {
	Read, Created, Written, Filtered, Dead int64

	Unknown int64 // items that were written without anybody having counted their records
	Skipped int64 // items that were left out unopened: the sink did not want them, or they hold no records
	GivenUp int64 // items that could not be had
	Deleted int64 // items whose key no longer exists at the source, delivered

	BytesRead, BytesWritten     int64 // of bodies, as the source gave and the sink stored them; unknown sizes count as 0
	ObjectsRead, ObjectsWritten int64 // streams the source gave; objects, files or commits the sink says it made (see Unit.Counts)
}

// Objects is how many objects of the source are dealt with: read, left out, or
// given up.
func (c Counts) Objects() int64 { return c.ObjectsRead + c.Skipped + c.GivenUp }

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Read += o.Read
	c.Created += o.Created
	c.Written += o.Written
	c.Filtered += o.Filtered
	c.Dead += o.Dead
	c.Unknown += o.Unknown
	c.Skipped += o.Skipped
	c.GivenUp += o.GivenUp
	c.Deleted += o.Deleted
	c.BytesRead += o.BytesRead
	c.BytesWritten += o.BytesWritten
	c.ObjectsRead += o.ObjectsRead
	c.ObjectsWritten += o.ObjectsWritten
}

// Meta describes the bytes of an item. It is shared by many items: read-only.
type Meta struct {
	Index, ContentType string
	Modified           time.Time
	Tags               map[string]string
}

// Item is a named stream of bytes, closed until opened. It has one owner;
// sending it gives it away.
type Item struct {
	Key     string   // names the bytes; equal positions give equal keys
	Version string   // identity of the source's bytes (ETag, version id, blob id), or ""
	From    Position // where it begins; set by the frame and by stages that split
	Pos     Position // what holds once it and all before it are done; zero: no unit may end here
	Size    int64    // bytes in Body, or -1; a sink that copied a stream sets it before Done
	Records int64    // records in Body, or -1
	Delete  bool     // the key no longer exists at the source
	Meta    *Meta
	Notes   []Row  // written by the save that passes this item, unless it was given up or left out
	Counts  Counts // what became of records on the way here
	Body    Body   // nil: nothing to deliver, only position, notes and counts move on

	line   int64  // records between From and the first record of Body
	resume string // Inner of the position at which the lane goes on, until a stage takes it
	entry  *entry // in the ledger: own, once the item is noted and to be delivered
	own    entry
}

// ErrGone is wrapped by the error of a [Body] whose bytes cannot be had, now
// and later: vanished, replaced, unreadable. Who opened it calls GiveUp.
var ErrGone = errors.New("cannot be had")

// Body yields the bytes of an item. Each Open starts at the first byte, and
// may be called again. The caller closes what Open returns. A body that ends
// early gives io.ErrUnexpectedEOF, never io.EOF.
type Body interface {
	Open(context.Context) (io.ReadCloser, error)
}

// OpenFrom is a Body that can be entered in its middle, at a mark. The marks of
// a source's bodies are byte offsets, in decimal.
type OpenFrom interface {
	OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error)
}

// Renewer is a Body whose bytes may be gone because others are in their place.
type Renewer interface {
	// Renew makes the body, and the version and size of its item, those of what
	// is there now, if that is why its bytes cannot be had. It is called by the
	// owner of the item, when no reader of the body is open.
	Renew(ctx context.Context, why error) (bool, error)
}

// Renew asks the body of an item that cannot be had for what is in its place,
// if there is anything. If some of it was delivered, it is given up: reported
// as replaced. The item begins at its beginning.
func (it *Item) Renew(ctx context.Context, why error) (bool, error) {
	r, ok := it.Body.(Renewer)
	if !ok {
		return false, nil
	}
	old := lost(Position{Token: it.From.Token, Inner: it.From.Inner, Key: it.Key, Version: it.Version})
	if ok, err := r.Renew(ctx, why); !ok || err != nil {
		return false, err
	}
	if it.From.Inner == "" {
		return true, nil
	}
	if err := old.GiveUp(ctx, why); err != nil {
		return false, err
	}
	it.Counts.GivenUp++
	it.From = Position{Token: it.From.Token}
	return true, nil
}

// Marker is a reader that knows places where its body can be entered. Mark
// gives the last one it has passed, and how many bytes of the whole body lie
// before it, wherever the reader began; "" if there is none.
type Marker interface {
	Mark() (mark string, at int64)
}

// BodyFunc lets a function be a [Body].
type BodyFunc func(context.Context) (io.ReadCloser, error)

// Open calls f(ctx).
func (f BodyFunc) Open(ctx context.Context) (io.ReadCloser, error) { return f(ctx) }

// Release gives back the memory of the body, which must not be used again. A
// stage releases an item as soon as its bytes have been copied out, and never
// waits for another item before it does. Release may be called again.
func (it *Item) Release() {
	if release(it.Body) {
		it.Body = released{}
	}
}

// release gives back the memory of a body, if it is one that holds any.
func release(b Body) bool {
	r, ok := b.(interface{ Release() })
	if ok {
		r.Release()
	}
	return ok
}

// Resume gives the place inside the item at which the lane goes on, or "". The
// stage that splits takes it; it is "" from then on.
func (it *Item) Resume() string {
	r := it.resume
	it.resume = ""
	return r
}

// released is a body whose memory was given back.
type released struct{}

func (released) Open(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("pipeline: BUG: item opened after Release")
}

// Send gives v to out, or returns the cause if ctx ends first.
func Send[T any](ctx context.Context, out chan<- T, v T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := edge(ctx, out)
	f := e.flowOf(v) // who receives it owns it
	select {
	case out <- v:
		e.passed(f)
		return nil
	default:
	}
	defer e.await().End()
	select {
	case out <- v:
		e.passed(f)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Receive takes the next value of in; ok is false at its end. An input that
// was closed under a dead context is a failure, not an end.
func Receive[T any](ctx context.Context, in <-chan T) (v T, ok bool, err error) {
	if ctx.Err() != nil {
		return v, false, context.Cause(ctx)
	}
	e := edge(ctx, in)
	select {
	case v, ok = <-in:
	default:
		w := e.await()
		select {
		case v, ok = <-in:
			w.End()
		case <-ctx.Done():
			w.End()
			return v, false, context.Cause(ctx)
		}
	}
	if !ok && ctx.Err() != nil {
		return v, false, context.Cause(ctx)
	}
	e.passed(e.flowOf(v))
	return v, ok, nil
}
