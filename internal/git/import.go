package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Import is a fast-import that runs: blobs and commits go in, and become one
// pack. Nothing of it can be seen in the repository before Done, and what is
// killed before never was. Its first error is the error of everything after it.
// It is not safe for concurrent use.
type Import struct {
	repo    *Repo
	child   *child
	out     *bufio.Writer
	marks   string // file to which ids of commits are written
	refs    map[string]bool
	commits int
	line    []byte
	err     error
}

var (
	errClosed = errors.New("fast-import: it is closed")
	errMore   = errors.New("it has more bytes than it should")
	errNoPath = errors.New("a change of a file without a path")
)

// Import starts a fast-import. The end of ctx kills it. Close it in any case.
func (r *Repo) Import(ctx context.Context) (*Import, error) {
	f, err := os.CreateTemp(r.dir, "marks-")
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	c, err := r.start(ctx, "fast-import", "--quiet", "--done", "--force", "--depth=0", "--date-format=raw", "--export-marks="+f.Name())
	if err != nil {
		return nil, err
	}
	im := &Import{repo: r, child: c, out: bufio.NewWriterSize(c.stdin, 64<<10), marks: f.Name(), refs: map[string]bool{}}
	r.adopt(im)
	return im, nil
}

// Blob takes the bytes of a blob. src must have exactly size of them, else the
// import is dead: a source that may fail is read into a buffer or a file first.
// It ends a commit that was begun.
func (im *Import) Blob(size int64, src io.Reader) error {
	if im.err != nil {
		return im.err
	}
	im.line = append(strconv.AppendInt(append(im.line[:0], "blob\ndata "...), size, 10), '\n')
	im.out.Write(im.line)
	n, err := io.CopyN(im.out, src, size)
	switch {
	case err == io.EOF: // of src
		err = fmt.Errorf("blob of %d bytes: it ended after %d: %w", size, n, io.ErrUnexpectedEOF)
	case err != nil:
		err = fmt.Errorf("blob of %d bytes: %w", size, err)
	default:
		err = ended(src)
	}
	if err != nil {
		return im.fail(err)
	}
	if err := im.out.WriteByte('\n'); err != nil {
		return im.fail(err)
	}
	return nil
}

// ended fails unless a reader is at its end.
func ended(src io.Reader) error {
	n, err := io.ReadFull(src, make([]byte, 1))
	switch {
	case n > 0:
		return errMore
	case err == io.EOF:
		return nil
	}
	return err
}

// fail ends the import. If it died by itself, why is the better error.
func (im *Import) fail(err error) error {
	im.err = im.child.fail(err)
	return im.err
}

// Done ends the import: what it took is durable in the repository as far as that
// is, and its commits can be pushed. It gives their ids, in the order of Begin.
func (im *Import) Done() ([]OID, error) {
	if im.err != nil {
		return nil, im.err
	}
	im.repo.packing.Lock()
	defer im.repo.packing.Unlock()
	im.out.WriteString("done\n")
	if err := im.out.Flush(); err != nil {
		return nil, im.fail(err)
	}
	im.child.stdin.Close()
	if im.err = im.child.wait(); im.err != nil {
		return nil, im.err
	}
	im.err = errClosed
	return im.ids()
}

// ids reads which commits were made: a line ":<number> <id>" each.
func (im *Import) ids() ([]OID, error) {
	text, err := os.ReadFile(im.marks)
	if err != nil {
		return nil, err
	}
	ids := make([]OID, im.commits)
	for line := range bytes.Lines(text) {
		mark, id, _ := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		n, err := strconv.Atoi(string(bytes.TrimPrefix(mark, []byte{':'})))
		if err != nil || n < 1 || n > len(ids) || !OID(id).digits() {
			return nil, fmt.Errorf("fast-import: a mark that is none: %q", line)
		}
		ids[n-1] = OID(id)
	}
	for i, id := range ids {
		if id == "" {
			return nil, fmt.Errorf("fast-import: no id of commit %d", i+1)
		}
	}
	return ids, nil
}

// Close kills the import unless it is done. It may be called again, and does not
// fail.
func (im *Import) Close() error {
	im.repo.release(im)
	if im.err == nil {
		im.err = errClosed
	}
	im.child.Close()
	return nil
}
