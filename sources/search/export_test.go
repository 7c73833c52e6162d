package search

import (
	"context"
	"io"
	"slices"

	"sluice/pipeline"
)

// Cut cuts one reply with a splitter that keeps sources up to max bytes, and
// gives its records, their sort values, and how long they are; a record that is
// too long is "".
func Cut(in io.Reader, max int64) (records, sorts []string, sizes []int, err error) {
	s := newSplitter(max)
	s.reset(in)
	h, err := s.head()
	if err == nil {
		err = h.check()
	}
	quota := pipeline.NewQuota(1)
	for err == nil {
		var ok bool
		if ok, err = s.next(); !ok {
			break
		}
		b, qerr := quota.Block(context.Background())
		if qerr != nil {
			return nil, nil, nil, qerr
		}
		if max == 0 || int64(s.hit.size()) <= max {
			s.hit.write(s.raw(), b)
		}
		records = append(records, string(b.B()))
		sorts = append(sorts, string(s.hit.sort.of(s.raw())))
		sizes = append(sizes, s.hit.size())
		b.Release()
	}
	return records, sorts, sizes, err
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
	s := newSplitter(0)
	quota := pipeline.NewQuota(1)
	return func() (hits int, err error) {
		b, err := quota.Block(context.Background())
		if err != nil {
			return 0, err
		}
		defer b.Release()
		s.reset(open())
		if _, err := s.head(); err != nil {
			return 0, err
		}
		for {
			ok, err := s.next()
			if !ok || err != nil {
				return hits, err
			}
			s.hit.write(s.raw(), b)
			hits++
		}
	}
}
