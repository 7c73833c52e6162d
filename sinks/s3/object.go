package s3

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/internal/objects"
	"sluice/internal/roll"
)

// object is an object on its way. While one part is filled, at most one other
// is sent, if there is a spare buffer. It implements [roll.Object].
type object struct {
	*target
	owner  roll.Owner // hashed
	new    objects.New
	ctx    context.Context // of Create, under which parts are sent: io.Writer has none
	cancel context.CancelFunc
	size   int64
	part   []byte // being filled; nil: none yet
	upload string // "": nothing was sent
	etags  []string
	flight errgroup.Group // sends the last of etags
	spare  atomic.Bool    // it has the right to a second buffer
}

// Write implements io.Writer. It sends a part when the next byte has no room
// in it: an object that fits into one part is one request.
func (o *object) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(o.part) == cap(o.part) && o.part != nil {
			if err := o.send(); err != nil {
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

// fill begins a part: in a spare buffer, or in that of the part in flight.
func (o *object) fill() error {
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
	if n > objects.MaxParts {
		return fmt.Errorf("put %s: it has more than %d parts of %d bytes: raise part", o.client.Name(o.new.Key), objects.MaxParts, cap(o.part))
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

// begin begins the upload, and puts its id into the Store before a byte is sent.
func (o *object) begin() error {
	id, err := o.client.Begin(o.ctx, o.new)
	if err != nil {
		return err
	}
	o.upload = id
	return o.remember(id, o.new.Key)
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
	return o.end()
}

// commit makes the object visible. What is under its key after a reply that
// may follow a lost one is ours already, or may be replaced, or is another's.
func (o *object) commit(ctx context.Context) error {
	err := o.request(ctx)
	if !errors.Is(err, objects.ErrPrecondition) && !errors.Is(err, objects.ErrNoUpload) {
		return err
	}
	there, herr := o.client.Head(ctx, o.new.Key)
	if errors.Is(herr, objects.ErrNotFound) {
		return err
	}
	if herr != nil {
		return errors.Join(err, herr)
	}
	theirs := ownerOf(there.Meta)
	if theirs != nil && *theirs == o.owner && there.Size == o.size {
		return o.abandon(ctx) // a run beside this one may have made it: then this upload is left
	}
	if aerr := roll.Allow(o.overwrite, o.client.Name(o.new.Key), o.owner, theirs); aerr != nil {
		return aerr
	}
	if !o.new.Absent || errors.Is(err, objects.ErrNoUpload) {
		return err
	}
	o.new.Absent = false
	return o.commit(ctx)
}

func (o *object) request(ctx context.Context) error {
	if o.upload == "" {
		return o.client.Put(ctx, o.new, o.part)
	}
	return o.client.Complete(ctx, o.new, o.upload, o.etags)
}

// Abort implements [roll.Object].
func (o *object) Abort(ctx context.Context) error {
	o.cancel()
	o.flight.Wait() // it was told to stop, and why it failed has been said
	o.empty()
	if err := o.abandon(ctx); err != nil {
		return err
	}
	return o.end()
}

// abandon removes the parts that were sent, if they are no object.
func (o *object) abandon(ctx context.Context) error {
	if o.upload == "" {
		return nil
	}
	return o.client.Abort(ctx, o.new.Key, o.upload)
}

// end gives back what the object holds.
func (o *object) end() error {
	o.cancel()
	o.empty()
	if o.upload == "" {
		return nil
	}
	return o.forget(o.upload)
}

// empty gives back the part that is being filled.
func (o *object) empty() {
	if o.part != nil {
		o.giveBack(o.part)
		o.part = nil
	}
}

// spares is how many lanes may fill a part while another of theirs is sent.
const spares = 2

// parts keeps the part buffers of all lanes: one for each, and the spare ones.
type parts struct {
	free  chan []byte
	spare chan struct{} // a right to a second buffer is taken for each thing in it
}

// newParts makes the buffers, and touches them: a process that does not fit
// into its container is to fail when it begins, not in the middle of the night.
func newParts(size, lanes int) *parts {
	lanes = max(1, lanes)
	p := &parts{make(chan []byte, lanes+spares), make(chan struct{}, min(lanes, spares))}
	for range lanes + cap(p.spare) {
		b := make([]byte, size)
		clear(b)
		p.free <- b[:0]
	}
	return p
}
