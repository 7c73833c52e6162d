package s3

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"sluice/pipeline"
)

const (
	fetchers  = 8        // requests of one lane that read ahead, at a time
	lookahead = 256      // objects that were listed and not sent yet
	inRow     = 4        // objects that are opened one after the other before any is read ahead
	firstStep = 64 << 10 // bytes that are read ahead then
	leastRead = 1 << 20  // bytes of a part of a large object
)

// ahead reads ahead in one lane. Small objects are fetched before their turn,
// many at a time, each as a whole. It begins when whoever takes the items has
// opened some in a row, goes further with each that is opened, and stops when
// one is let go unopened: who leaves objects out, or copies them on the server,
// costs no request, and who takes a few here and there none but theirs. A large
// object is not fetched before it is opened, and nothing behind it before its end
// is near: it is read by parts, several at a time, which share the budget.
type ahead struct {
	budget int64 // bytes that are held at most

	mu     sync.Mutex
	moved  sync.Cond
	queue  []*body // those that may be fetched, in order
	row    int     // objects that were opened since one was let go unopened
	window int64   // how much of the budget is used now
	held   int64   // bytes
	ended  bool    // no more is fetched
}

func newAhead(budget int64) *ahead {
	a := &ahead{budget: budget}
	a.moved.L = &a.mu
	return a
}

// part is the size of the parts of a large object.
func (a *ahead) part() int64 { return max(leastRead, int64(1)<<bits.Len64(uint64(a.budget/8))) }

// small says whether an object is fetched as a whole.
func (a *ahead) small(size int64) bool { return size > 0 && size <= min(a.part(), a.budget/4) }

// add enters a body that will be sent.
func (a *ahead) add(b *body) {
	if a.budget == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, b)
	a.moved.Broadcast()
}

// fetch fetches one body after the other until there are no more.
func (a *ahead) fetch(ctx context.Context) {
	for b := a.next(); b != nil; b = a.next() {
		buf, err := b.whole(ctx)
		a.fetched(b, buf, err)
	}
}

// next waits for a body that may be fetched; nil: the lane has ended.
func (a *ahead) next() *body {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		for len(a.queue) > 0 && a.queue[0].state != waiting {
			a.queue[0] = nil
			a.queue = a.queue[1:]
		}
		if a.ended {
			return nil
		}
		if len(a.queue) > 0 {
			if b := a.queue[0]; a.small(b.size) && a.held+room(b.size) <= a.window {
				a.held += room(b.size)
				b.state, b.done = fetching, make(chan struct{})
				return b
			}
		}
		a.moved.Wait()
	}
}

// fetched takes the bytes of a body. If they could not be had, it says so when
// it is opened.
func (a *ahead) fetched(b *body, buf []byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case b.state == over:
		a.free(buf, b.size)
	case err != nil:
		b.state = direct
		a.free(buf, b.size)
	default:
		b.state, b.buf = ready, buf
	}
	close(b.done)
}

// open is told that a body is opened. It gives its bytes if they were fetched,
// or are about to be; the caller closes them.
func (a *ahead) open(ctx context.Context, b *body) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !b.begun {
		b.begun = true
		if a.row++; a.row >= inRow {
			a.window = min(a.budget, max(2*a.window, firstStep))
			a.moved.Broadcast()
		}
	}
	if b.state == waiting && a.small(b.size) {
		b.state = direct
	}
	if b.state == fetching {
		a.mu.Unlock()
		_, _, err := pipeline.Receive(ctx, b.done)
		a.mu.Lock()
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
	}
	if b.state == over {
		return nil, errors.New("BUG: opened after Release")
	}
	if b.buf != nil {
		b.readers++
	}
	return b.buf, nil
}

// keep takes the bytes of a body that were fetched when it was opened.
func (a *ahead) keep(b *body, buf []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.state, b.buf, b.readers = ready, buf, b.readers+1
}

// close ends one use of the bytes.
func (a *ahead) close(b *body) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.readers--; b.readers == 0 && b.state == over {
		a.drop(b)
	}
}

// release is told that a body is not opened any more.
func (a *ahead) release(b *body) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := b.state
	b.state = over
	if was == over {
		return
	}
	if !b.begun {
		a.row, a.window = 0, 0
	}
	if b.readers == 0 {
		a.drop(b)
	}
	a.moved.Broadcast()
}

func (a *ahead) drop(b *body) {
	if b.buf != nil {
		a.free(b.buf, b.size)
		b.buf = nil
	}
}

// passed is told that a large body needs no more of the budget.
func (a *ahead) passed(b *body) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.state == waiting {
		b.state = direct
		a.moved.Broadcast()
	}
}

// take takes bytes out of the budget, if there are as many left.
func (a *ahead) take(size int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held+room(size) > a.budget {
		return false
	}
	a.held += room(size)
	return true
}

// give gives back what take took, and a buffer of that size, if there is one.
func (a *ahead) give(buf []byte, size int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free(buf, size)
}

func (a *ahead) free(buf []byte, size int64) {
	a.held -= room(size)
	recycle(buf)
	a.moved.Broadcast()
}

// end ends reading ahead. What was fetched stays.
func (a *ahead) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	a.moved.Broadcast()
}

// errSum is why bytes are not believed.
var errSum = errors.New("its bytes do not have the checksum that the store gives")

// sums is how often a small object is read that does not have its checksum.
const sums = 3

// whole reads all bytes of a small object. None of them was delivered yet, so
// that what arrives damaged is read again.
func (b *body) whole(ctx context.Context) ([]byte, error) {
	buf := buffer(b.size)
	for try := 1; ; try++ {
		err := b.content.Fill(ctx, buf, 0)
		if err == nil {
			err = b.check(buf)
		}
		if err == nil {
			return buf, nil
		}
		if !errors.Is(err, errSum) || try == sums {
			recycle(buf)
			return nil, err
		}
		pipeline.Retried(ctx, "checksum")
	}
}

// check compares bytes with the checksum, if there is one of all of them.
func (b *body) check(all []byte) error {
	sum := b.content.Info().Checksum
	h := sum.Hash()
	if h == nil {
		return nil
	}
	h.Write(all)
	if sum.Is(h) {
		return nil
	}
	return fmt.Errorf("get %s: %w (%s): %w", b.client.Name(b.item.Key), errSum, sum.Algorithm, pipeline.ErrGone)
}

// leastRoom is the size of the smallest buffer.
const leastRoom = 4 << 10

// room is the size of the buffer for so many bytes: a power of two.
func room(size int64) int64 { return max(leastRoom, int64(1)<<bits.Len64(uint64(size-1))) }

// pools hold buffers by the logarithms of their sizes.
var pools [64]sync.Pool

func buffer(size int64) []byte {
	if buf, ok := pools[bits.Len64(uint64(room(size)))].Get().(*[]byte); ok {
		return (*buf)[:size]
	}
	return make([]byte, size, room(size))
}

func recycle(buf []byte) {
	if cap(buf) > 0 {
		pools[bits.Len(uint(cap(buf)))].Put(&buf)
	}
}
