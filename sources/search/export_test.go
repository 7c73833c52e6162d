package search

import (
	"context"
	"io"
	"slices"
	"time"

	"sluice/pipeline"
)

// Cut cuts one reply as a lane does whose longest record has max bytes, and
// gives its records, their sort values, and how long they are; a record that is
// too long is "". Its buffer has size bytes; 0: as many as a lane's.
func Cut(in io.Reader, max int64, size int) (records, sorts []string, sizes []int, err error) {
	l := cutting(max)
	if size > 0 {
		l.split.buf = make([]byte, size)
	}
	defer l.block.Release()
	ctx := context.Background()
	s := l.split
	s.reset(in, func(h *hit, raw, part []byte) error { return l.part(ctx, h, raw, part) })
	h, err := s.head()
	if err == nil {
		err = h.check(1)
	}
	for err == nil {
		var ok bool
		if ok, err = s.next(); !ok {
			break
		}
		if _, err = l.record(ctx, &s.hit, s.raw()); err != nil {
			break
		}
		records = append(records, string(l.block.B()))
		sorts = append(sorts, string(s.hit.sort.of(s.raw())))
		sizes = append(sizes, s.hit.size())
		l.block.Truncate(0)
	}
	return records, sorts, sizes, err
}

// cutting is a lane that has a block and nothing to read.
func cutting(max int64) *lane {
	r := &reader{Source: &Source{maxRecord: max, keepAlive: time.Hour}}
	l := &lane{reader: r, split: newSplitter(), quota: pipeline.NewQuota(1), asked: time.Now()}
	l.block, _ = l.quota.Block(context.Background())
	return l
}

// Sizes gives the sizes of pages if each page holds hits of so many bytes, or
// fails with the error.
func Sizes(target int64, window int, bytes []int64, errs []error) (list []int) {
	p := newPager(target, window)
	for i, b := range bytes {
		list = append(list, p.hits)
		if errs[i] != nil {
			p.overloaded(errs[i])
		} else {
			p.adapt(p.hits, b*int64(p.hits))
		}
	}
	return slices.Clip(list)
}

// CutAll cuts a reply again and again, into one block.
func CutAll(open func() io.Reader) func() (hits int, err error) {
	l := cutting(1 << 20)
	ctx := context.Background()
	return func() (hits int, err error) {
		l.block.Truncate(0)
		l.split.reset(open(), func(h *hit, raw, part []byte) error { return l.part(ctx, h, raw, part) })
		if _, err := l.split.head(); err != nil {
			return 0, err
		}
		for {
			ok, err := l.split.next()
			if !ok || err != nil {
				return hits, err
			}
			if _, err := l.record(ctx, &l.split.hit, l.split.raw()); err != nil {
				return hits, err
			}
			if hits++; len(l.block.B()) >= pipeline.BlockSize {
				l.block.Truncate(0)
			}
		}
	}
}
