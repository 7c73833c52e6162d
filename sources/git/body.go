package git

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"

	"sluice/internal/git"
	"sluice/pipeline"
)

// A batch has as many files, or as many bytes in their keys.
const (
	batchFiles = 1000
	batchKeys  = 256 << 10
)

// batch is files that follow each other. Their contents are fetched together
// when the first of them is opened, if they did not come with the commit.
type batch struct {
	*reader
	items []*pipeline.Item // until they are sent
	keys  int              // bytes

	mu    sync.Mutex // held while contents are fetched
	blobs []git.OID
	here  bool
}

func (w *walk) batch() *batch { return &batch{reader: w.reader, here: w.contents()} }

func (b *batch) add(it *pipeline.Item) {
	b.items = append(b.items, it)
	b.keys += len(it.Key)
	if !b.here {
		b.blobs = append(b.blobs, git.OID(it.Version))
	}
}

func (b *batch) full() bool { return len(b.items) == batchFiles || b.keys >= batchKeys }

func (b *batch) send(ctx context.Context, out chan<- *pipeline.Item) error {
	for _, it := range b.items {
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	b.items = nil
	return nil
}

// fetch fetches the contents, unless they are here.
func (b *batch) fetch(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.here {
		return nil
	}
	if err := b.repo.Prefetch(ctx, b.blobs); err != nil {
		return err
	}
	b.blobs, b.here = nil, true
	return nil
}

// body is the contents of a file. It can be entered at any byte.
type body struct {
	batch *batch
	blob  git.OID
	size  int64 // in bytes; -1: not known
}

// Open implements [pipeline.Body].
func (b *body) Open(ctx context.Context) (io.ReadCloser, error) { return b.OpenFrom(ctx, "0") }

// OpenFrom implements [pipeline.OpenFrom]. A mark is a number of bytes.
func (b *body) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	at, err := strconv.ParseInt(mark, 10, 64)
	if err != nil || at < 0 {
		return nil, fmt.Errorf("mark %q is no number of bytes", mark)
	}
	if err := b.batch.fetch(ctx); err != nil {
		return nil, err
	}
	r, err := b.batch.shelf.open(ctx, b.blob)
	if err != nil {
		return nil, err
	}
	switch {
	case b.size >= 0 && r.left != b.size:
		err = fmt.Errorf("blob %s has %d bytes, and %d in the tree", b.blob, r.left, b.size)
	case at > r.left:
		err = fmt.Errorf("mark %d is not in a file of %d bytes", at, r.left)
	default:
		_, err = io.CopyN(io.Discard, r, at)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// shelf has the processes that read contents, and are not needed right now. A
// lane reads one file after the other, so there is about one for each lane.
type shelf struct {
	repo *git.Repo
	mu   sync.Mutex
	idle []*git.Blobs
}

// open opens a blob. What reads it outlives ctx: the next file is read by it
// too, and items stay readable after Read. The repository ends it.
func (s *shelf) open(ctx context.Context, id git.OID) (*reading, error) {
	from, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	size, in, err := from.Open(id)
	if err != nil {
		from.Close() // what it says no longer matters
		return nil, err
	}
	return &reading{ReadCloser: in, from: from, shelf: s, left: size}, nil
}

func (s *shelf) take(ctx context.Context) (*git.Blobs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		b := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return b, nil
	}
	return s.repo.Blobs(context.WithoutCancel(ctx))
}

func (s *shelf) put(b *git.Blobs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, b)
}

// reading is an open body.
type reading struct {
	io.ReadCloser
	from     *git.Blobs
	shelf    *shelf
	at, left int64
	err      error
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.at += int64(n)
	r.left -= int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Mark implements [pipeline.Marker]: every byte can be entered.
func (r *reading) Mark() (string, int64) { return strconv.FormatInt(r.at, 10), r.at }

// fewLeft is how many bytes of a file that nobody wants are read rather than a
// new process started.
const fewLeft = 1 << 20

// Close implements io.Closer. It may be called again.
func (r *reading) Close() error {
	if r.from == nil {
		return nil
	}
	from := r.from
	r.from = nil
	if r.err != nil || r.left > fewLeft {
		return from.Close()
	}
	if err := r.ReadCloser.Close(); err != nil {
		from.Close() // what it says no longer matters
		return err
	}
	r.shelf.put(from)
	return nil
}
