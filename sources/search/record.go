package search

import (
	"context"
	"errors"
	"fmt"

	"sluice/pipeline"
)

// record writes the record of a hit, or what is left of it, to the block. It
// leaves out one that is too long.
func (l *lane) record(ctx context.Context, h *hit, raw []byte) (long bool, err error) {
	switch {
	case h.index.to == 0 || h.id.to == 0:
		return false, errors.New("a hit without _index or _id")
	case h.source.to == 0:
		return false, fmt.Errorf("_id %s has no _source", h.id.of(raw))
	case h.taken > 0 && h.routing.to > h.source.to:
		return false, fmt.Errorf("_id %s: _routing follows a long _source", h.id.of(raw))
	}
	if h.taken == 0 {
		if err := l.mark(ctx); err != nil {
			return false, err
		}
	}
	if l.tooLong(h.size()) {
		l.unmark()
		return true, nil
	}
	if err := l.reserve(ctx, l.marked+h.size()); err != nil {
		return false, err
	}
	if h.taken == 0 {
		h.begin(raw, l.block)
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
		if err := l.mark(ctx); err != nil {
			return err
		}
		if !l.tooLong(h.size()) {
			h.begin(raw, l.block)
		}
	}
	size := h.size() + len(part)
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

func (l *lane) tooLong(size int) bool { return l.maxRecord > 0 && int64(size) > l.maxRecord }

// mark begins a record, in a new block if there is none.
func (l *lane) mark(ctx context.Context) error {
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

// begin writes the record up to the source.
func (h *hit) begin(raw []byte, b *pipeline.Block) {
	b.Write([]byte(`{"_index":`))
	b.Write(h.index.of(raw))
	b.Write([]byte(`,"_id":`))
	b.Write(h.id.of(raw))
	if h.routing.to > 0 {
		b.Write([]byte(`,"_routing":`))
		b.Write(h.routing.of(raw))
	}
	b.Write([]byte(`,"_source":`))
}
