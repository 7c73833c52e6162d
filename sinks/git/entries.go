package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"

	"sluice/internal/git"
	"sluice/internal/mirror"
)

// temp makes a file in a directory that has no name there, and so is gone with
// the process at the latest.
func temp(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "temp-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// entries is a file of entries of trees, in the order in which they were added.
type entries struct {
	file  *os.File
	out   *bufio.Writer
	size  int64
	n     int
	index []mark // of every so many, in memory
}

// mark is where an entry begins.
type mark struct {
	path string
	at   int64
}

// sparse is how many entries there are to a mark, and page to a page.
const (
	sparse = 250
	page   = 1000
)

func newEntries(dir string) (*entries, error) {
	f, err := temp(dir)
	if err != nil {
		return nil, err
	}
	return &entries{file: f, out: bufio.NewWriterSize(f, 64<<10)}, nil
}

// Close frees the file.
func (e *entries) Close() error { return e.file.Close() }

// add adds an entry, and gives where it begins.
func (e *entries) add(x git.Entry) (at int64, err error) {
	at = e.size
	if e.n%sparse == 0 {
		e.index = append(e.index, mark{strings.Clone(x.Path), at})
	}
	e.n++
	n, err := fmt.Fprintf(e.out, "%o %s %d %s\x00", x.Mode, x.OID, x.Size, x.Path)
	e.size += int64(n)
	return at, err
}

// read gives what is at at and behind it.
func (e *entries) read(at int64) *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(e.file, at, e.size-at), 32<<10)
}

// next reads an entry, which has n bytes here; io.EOF at the end.
func next(in *bufio.Reader) (x git.Entry, n int64, err error) {
	text, err := in.ReadString(0)
	if err != nil {
		return x, 0, err
	}
	f := strings.SplitN(text[:len(text)-1], " ", 4)
	if len(f) != 4 {
		return x, 0, fmt.Errorf("scratch: an entry that is none: %q", text)
	}
	mode, err := strconv.ParseUint(f[0], 8, 32)
	if err != nil {
		return x, 0, fmt.Errorf("scratch: %w", err)
	}
	if x.Size, err = strconv.ParseInt(f[2], 10, 64); err != nil {
		return x, 0, fmt.Errorf("scratch: %w", err)
	}
	x.Mode, x.OID, x.Path = git.Mode(mode), git.OID(f[1]), f[3]
	return x, int64(len(text)), nil
}

// page gives the entries after a path, if they were added in order of paths: it
// is the Page of a [mirror.Window].
func (e *entries) page(_ context.Context, after string) (all []mirror.Entry[git.Entry], last bool, err error) {
	var at int64
	if i := sort.Search(len(e.index), func(i int) bool { return e.index[i].path > after }); i > 0 {
		at = e.index[i-1].at
	}
	in := e.read(at)
	for len(all) < page {
		x, _, err := next(in)
		if err == io.EOF {
			return all, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if x.Path > after || after == "" {
			all = append(all, mirror.Entry[git.Entry]{Key: x.Path, Value: x})
		}
	}
	return all, false, nil
}

// each calls f for the entries that begin at the places, which ascend.
func (e *entries) each(places []int64, f func(git.Entry) error) error {
	const near = 32 << 10 // to skip it takes less than to read anew
	var in *bufio.Reader
	var pos int64
	for i, at := range places {
		if i == 0 || at-pos > near {
			in, pos = e.read(at), at
		}
		if _, err := in.Discard(int(at - pos)); err != nil {
			return err
		}
		x, n, err := next(in)
		if err != nil {
			return err
		}
		pos = at + n
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}
