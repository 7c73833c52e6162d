package search

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// record writes the record of a hit, or what is left of it, to the block. It
// leaves out one that is too long.
func (l *lane) record(ctx context.Context, h *hit, raw []byte) (long bool, err error) {
	switch {
	case h.index.to == 0 || h.id.to == 0:
		return false, errors.New("a hit without _index or _id")
	case h.source.to == 0:
		return false, fmt.Errorf("_id %s has no _source", h.id.of(raw))
	case h.taken > 0 && max(h.routing.to, h.version.to, h.seq.to) > h.source.to:
		return false, fmt.Errorf("_id %s: _routing, _version or _seq_no follows a long _source", h.id.of(raw))
	}
	if h.taken == 0 {
		if err := l.mark(ctx, h, raw); err != nil {
			return false, err
		}
	}
	if l.tooLong(l.size(h)) {
		l.unmark()
		return true, nil
	}
	if err := l.reserve(ctx, l.marked+l.size(h)); err != nil {
		return false, err
	}
	if h.taken == 0 {
		l.header(h, raw)
	}
	l.block.Write(h.source.of(raw))
	l.block.Write([]byte("}\n"))
	l.marked = -1
	return false, nil
}

// part writes the next part of the source of a hit that is longer than the
// splitter's buffer.
func (l *lane) part(ctx context.Context, h *hit, raw, part []byte) error {
	if h.taken == 0 {
		if err := l.mark(ctx, h, raw); err != nil {
			return err
		}
		if !l.tooLong(l.size(h)) {
			l.header(h, raw)
		}
	}
	size := l.size(h) + len(part)
	if l.tooLong(size) {
		l.block.Truncate(l.marked) // the rest is only measured
		return nil
	}
	if l.maxRecord > 0 {
		size = int(l.maxRecord) // at once: memory that is not written to costs nothing
	}
	if err := l.reserve(ctx, l.marked+size); err != nil {
		return err
	}
	l.block.Write(part)
	return nil
}

// size is the length of the record that the hit becomes.
func (l *lane) size(h *hit) int { return h.size() + len(l.fields) }

func (l *lane) tooLong(size int) bool { return l.maxRecord > 0 && int64(size) > l.maxRecord }

// mark begins the record of a hit, in a new block if there is none.
func (l *lane) mark(ctx context.Context, h *hit, raw []byte) (err error) {
	if l.fields, err = l.appendFields(l.fields[:0], h, raw); err != nil {
		return fmt.Errorf("_id %s: %w", h.id.of(raw), err)
	}
	for l.block == nil {
		l.timer.Reset(l.idle())
		b, err := l.quota.BlockUntil(ctx, l.timer.C)
		if err != nil {
			return err
		}
		if l.block = b; b == nil {
			l.keep(ctx)
		}
	}
	l.marked = len(l.block.B())
	return nil
}

// unmark takes back a record whose end has not come.
func (l *lane) unmark() {
	if l.block != nil && l.marked >= 0 {
		l.block.Truncate(l.marked)
	}
	l.marked = -1
}

// reserve makes room for size bytes in the block. While it waits for that, it
// keeps the context alive.
func (l *lane) reserve(ctx context.Context, size int) error {
	if size <= cap(l.block.B()) {
		return nil
	}
	for {
		patience, cancel := context.WithTimeout(ctx, l.idle())
		err := l.block.Reserve(patience, size)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.keep(ctx)
	}
}

// appendFields appends what a record has on request: the version that orders
// it among those of its _id, or the document's own, and its sequence number.
func (l *lane) appendFields(b []byte, h *hit, raw []byte) ([]byte, error) {
	switch {
	case l.versions && l.spec.Epoch > 0:
		n, err := strconv.ParseInt(string(h.seq.of(raw)), 10, 64)
		if err != nil || n < 0 || n >= 1<<epochBits {
			return b, fmt.Errorf("_seq_no %q is not a number below 2^%d", h.seq.of(raw), epochBits)
		}
		b = append(b, `,"_version":`...)
		b = strconv.AppendInt(b, l.spec.Epoch<<epochBits+n, 10)
	case l.withVersion && h.version.to == 0:
		return b, errors.New("the hit has no _version before its _source")
	case l.withVersion:
		b = append(append(b, `,"_version":`...), h.version.of(raw)...)
	}
	if l.withSeqNo && h.seq.to == 0 {
		return b, errors.New("the hit has no _seq_no before its _source")
	}
	if l.withSeqNo {
		b = append(append(b, `,"_seq_no":`...), h.seq.of(raw)...)
	}
	return b, nil
}

// header writes the record up to the source.
func (l *lane) header(h *hit, raw []byte) {
	b := l.block
	b.Write([]byte(`{"_index":`))
	b.Write(h.index.of(raw))
	b.Write([]byte(`,"_id":`))
	b.Write(h.id.of(raw))
	if h.routing.to > 0 {
		b.Write([]byte(`,"_routing":`))
		b.Write(h.routing.of(raw))
	}
	b.Write(l.fields)
	b.Write([]byte(`,"_source":`))
}
