package s3

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// object is an object on its way. While one part is filled, at most one other
// is sent, if there is a spare buffer. It implements [roll.Object].
type object struct {
	*target
	owner   roll.Owner // hashed
	new     objects.New
	of      *original       // whose metadata it is to have; nil: none
	single  bool            // of one item: it may turn out to be small
	item    *pipeline.Item  // if it is
	asked   bool            // new says on which condition it is made
	ctx     context.Context // of Create, under which parts are sent: io.Writer has none
	cancel  context.CancelFunc
	size    int64
	part    []byte // being filled; nil: none yet
	small   bool   // which is a small buffer
	upload  string // "": nothing was sent
	uploads journal
	etags   []string
	flight  errgroup.Group // sends the last of etags
	spare   atomic.Bool    // it has the right to a second buffer
	etag    string         // of the object, once it is made
}

// Write implements io.Writer. It sends a part when the next byte has no room
// in it: an object that fits into one part is one request.
func (o *object) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if o.part != nil && len(o.part) == cap(o.part) {
			if err := o.full(); err != nil {
				return n, err
			}
		}
		if o.part == nil {
			if err := o.fill(); err != nil {
				return n, err
			}
		}
		m := min(len(p)-n, cap(o.part)-len(o.part))
		o.part = append(o.part, p[n:n+m]...)
		n += m
		o.size += int64(m)
	}
	return n, nil
}

// full makes room: what is no longer small moves to a part, a part is sent.
func (o *object) full() error {
	if !o.small {
		return o.send()
	}
	small := o.part
	o.part, o.small = append(<-o.parts.free, small...), false // never waits, as in fill
	o.parts.small <- small[:0]
	return nil
}

// fill begins a part: in a small buffer, in a spare one, or in that of the part
// in flight.
func (o *object) fill() error {
	if o.single && o.size == 0 {
		o.part, o.small = <-o.parts.small, true // never waits: there is one for each object that a lane has under way
		return nil
	}
	if len(o.etags) > 0 {
		select {
		case o.parts.spare <- struct{}{}:
			o.spare.Store(true)
		default:
			if err := o.flight.Wait(); err != nil {
				return err
			}
		}
	}
	o.part = <-o.parts.free // never waits: there is one for each lane and each right
	return nil
}

// Later implements [roll.Later]. What is in a part needs a spare one for that,
// because the lane's next object may need its own.
func (o *object) Later() bool {
	switch {
	case o.upload != "":
		return false
	case o.part == nil || o.small:
		return true
	}
	select {
	case o.parts.spare <- struct{}{}:
		o.spare.Store(true)
		return true
	default:
		return false
	}
}

// giveBack gives back a buffer, and the right to a second one.
func (o *object) giveBack(part []byte) {
	o.parts.free <- part[:0] // never waits: it was taken from there
	if o.spare.CompareAndSwap(true, false) {
		<-o.parts.spare
	}
}

// send waits for the part in flight and sends the one that was filled.
func (o *object) send() error {
	if err := o.flight.Wait(); err != nil {
		return err
	}
	n := len(o.etags) + 1
	if _, _, most := o.PartBounds(); n > most {
		return fmt.Errorf("put %s: it has more than %d parts of %d bytes: raise part", o.client.Name(o.new.Key), most, cap(o.part))
	}
	if o.upload == "" {
		if err := o.begin(); err != nil {
			return err
		}
	}
	part := o.part
	o.part, o.etags = nil, append(o.etags, "")
	o.flight.Go(func() (err error) {
		defer o.giveBack(part)
		o.etags[n-1], err = o.client.Part(o.ctx, o.new.Key, o.upload, n, part)
		return err
	})
	return nil
}

// begin begins the upload, unless its object could not be made, and puts its id
// into the Store before a byte is sent.
func (o *object) begin() (err error) {
	if err := o.settle(o.ctx); err != nil {
		return err
	}
	if err := o.ask(o.ctx); err != nil {
		return err
	}
	n := o.new
	n.Journal = &o.uploads
	o.upload, err = o.client.Begin(o.ctx, n)
	return err
}

// Commit implements [roll.Object].
func (o *object) Commit(ctx context.Context) error {
	if o.upload != "" && len(o.part) > 0 {
		if err := o.send(); err != nil {
			return err
		}
	}
	if err := o.flight.Wait(); err != nil {
		return err
	}
	crash.Point(crash.AfterLastPart)
	if err := o.commit(ctx); err != nil {
		return err
	}
	if err := o.placed(ctx); err != nil {
		return err
	}
	return o.end(ctx)
}

// ETag implements [roll.Tagged].
func (o *object) ETag() string { return o.etag }

// Abort implements [roll.Object].
func (o *object) Abort(ctx context.Context) error {
	o.cancel()
	o.flight.Wait() // it was told to stop, and why it failed has been said
	return o.end(ctx)
}

// end gives back what the object holds.
func (o *object) end(ctx context.Context) error {
	o.cancel()
	o.empty()
	return o.uploads.end(ctx)
}

// empty gives back the buffer that is being filled.
func (o *object) empty() {
	switch {
	case o.part == nil:
	case o.small:
		o.parts.small <- o.part[:0]
	default:
		o.giveBack(o.part)
	}
	o.part = nil
}
