package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// state is what becomes of the bytes of a body.
type state int

const (
	waiting  state = iota // they may be fetched before their turn
	fetching              // they are being fetched
	ready                 // they are here
	direct                // they are read when it is opened
	over                  // they are not needed any more
)

// body is the bytes of an object. It can be entered at any byte. An object that
// was replaced since it was listed is taken as it is now, version and size of
// the item with it, as long as nothing of it was delivered.
type body struct {
	*reader
	ahead   *ahead
	item    *pipeline.Item // changes in the hands of its owner alone: who opens the body
	content *objects.Content
	size    int64
	pinned  bool // some of it was delivered: these bytes, or none
	renewed int  // how often it was replaced by others

	// guarded by ahead
	state   state
	begun   bool // it was opened
	buf     []byte
	readers int           // of buf
	done    chan struct{} // closed when it is fetched, or cannot be
}

// Open implements [pipeline.Body].
func (b *body) Open(ctx context.Context) (io.ReadCloser, error) { return b.enter(ctx, 0) }

// OpenFrom implements [pipeline.OpenFrom]. A mark is the number of the byte.
func (b *body) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	off, err := strconv.ParseInt(mark, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	if off < 0 || off > b.size {
		return nil, fmt.Errorf("mark %d is not in an object of %d bytes", off, b.size)
	}
	b.pinned = b.pinned || off > 0
	return b.enter(ctx, off)
}

// Release gives back the memory of bytes that were read ahead.
func (b *body) Release() { b.ahead.release(b) }

// Info is what replies have said of the object: nothing before it was opened.
func (b *body) Info() objects.Info { return b.content.Info() }

// Stored implements [objects.Stored].
func (b *body) Stored() (*objects.Client, objects.Object) { return b.client, b.content.Object() }

// renewals is how often an object is taken that is replaced again and again.
const renewals = 3

func (b *body) enter(ctx context.Context, off int64) (io.ReadCloser, error) {
	for {
		src, err := b.open(ctx, off)
		if err == nil {
			b.pinned = true
			return &reading{ReadCloser: src, body: b, content: b.content, at: off}, nil
		}
		if !errors.Is(err, objects.ErrReplaced) || b.pinned || b.renewed == renewals {
			return nil, b.archived(ctx, err)
		}
		if err := b.renew(ctx); err != nil {
			return nil, err
		}
	}
}

// Renew implements [pipeline.Renewer]: the bytes are those that are there now.
func (b *body) Renew(ctx context.Context, why error) (bool, error) {
	if !errors.Is(why, objects.ErrReplaced) || b.renewed == renewals {
		return false, nil
	}
	err := b.renew(ctx)
	if errors.Is(err, objects.ErrVanished) {
		return false, nil
	}
	b.pinned = false
	return err == nil, err
}

// open opens the bytes where they are: here, or in the store.
func (b *body) open(ctx context.Context, off int64) (io.ReadCloser, error) {
	buf, err := b.ahead.open(ctx, b)
	if err != nil {
		return nil, err
	}
	if buf == nil && b.ahead.small(b.size) && b.ahead.take(b.size) {
		if buf, err = b.whole(ctx); err != nil {
			b.ahead.give(nil, b.size)
			return nil, err
		}
		b.ahead.keep(b, buf)
	}
	if buf != nil {
		return &inMemory{*bytes.NewReader(buf[off:]), b}, nil
	}
	r, err := b.content.Open(ctx, off, b.size)
	if err != nil {
		return nil, err
	}
	if n := b.ahead.part(); b.size-off < 4*n || b.ahead.budget < 2*n {
		b.ahead.passed(b)
		return r, nil
	}
	return newRanged(ctx, b, r, off), nil
}

// renew looks at what is in the place of an object that was replaced, and makes
// it the item's.
func (b *body) renew(ctx context.Context) error {
	b.renewed++
	info, err := b.client.Head(ctx, b.item.Key)
	if errors.Is(err, objects.ErrNotFound) {
		err = fmt.Errorf("get %s: %w", b.client.Name(b.item.Key), objects.ErrVanished)
	}
	if err != nil {
		return err
	}
	now := b.reader.item(info.Object, b.ahead)
	if b.item.Size >= 0 { // a transform may show it in another form
		b.item.Size = now.Size
	}
	b.item.Version, b.item.Meta = now.Version, now.Meta
	before := b.item.Notes[:max(0, len(b.item.Notes)-len(now.Notes))] // of what the item passes
	b.item.Notes = append(slices.Clip(before), now.Notes...)
	b.content, b.size = b.client.Content(info.Object), info.Size
	return nil
}

// inMemory reads bytes that were fetched.
type inMemory struct {
	bytes.Reader
	body *body
}

// Close implements io.Closer. It may be called again.
func (m *inMemory) Close() error {
	if m.body != nil {
		m.body.ahead.close(m.body)
		m.body = nil
	}
	m.Reset(nil)
	return nil
}

// reading is an open body. All bytes from the first to the last are compared
// with the checksum, if the store gives one; those in memory were before.
type reading struct {
	io.ReadCloser
	body    *body
	content *objects.Content
	at      int64
	sum     objects.Checksum
	hash    hash.Hash
	err     error
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	begin := r.at == 0
	n, err := r.ReadCloser.Read(p)
	r.at += int64(n)
	if _, checked := r.ReadCloser.(*inMemory); begin && n > 0 && !checked {
		r.sum = r.content.Info().Checksum
		r.hash = r.sum.Hash()
	}
	if r.hash == nil {
		return n, err
	}
	r.hash.Write(p[:n])
	if err == io.EOF && !r.sum.Is(r.hash) {
		o := r.content.Object()
		r.err = fmt.Errorf("get %s: %w (%s); what was delivered of it may be wrong: begin again, with sluice checkpoint reset", r.body.client.Name(o.Key), errSum, r.sum.Algorithm)
		return n, r.err
	}
	return n, err
}

// Mark implements [pipeline.Marker]: every byte can be entered.
func (r *reading) Mark() (string, int64) { return strconv.FormatInt(r.at, 10), r.at }

// Size is the number of bytes of the whole body, which a replaced object has
// not had in the listing.
func (r *reading) Size() int64 { return r.content.Object().Size }

// ContentEncoding is what the store says of the bytes.
func (r *reading) ContentEncoding() string { return r.content.Info().ContentEncoding }
