package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"sluice/pipeline"
)

// version is the identity of the bytes of a file.
func version(info fs.FileInfo) string {
	return fmt.Sprintf("%d-%d-%d", info.Size(), info.ModTime().UnixNano(), inode(info))
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}

// gone is a body that cannot be had, for a reason.
type gone struct{ reason error }

// Open implements [pipeline.Body].
func (g gone) Open(context.Context) (io.ReadCloser, error) { return nil, g.reason }

// body is a file as it was listed.
type body struct {
	root *os.Root
	name string
	info fs.FileInfo
}

// Open implements [pipeline.Body].
func (b *body) Open(ctx context.Context) (io.ReadCloser, error) { return b.OpenFrom(ctx, "0") }

// OpenFrom implements [pipeline.OpenFrom]. A mark is a number of bytes.
func (b *body) OpenFrom(_ context.Context, mark string) (io.ReadCloser, error) {
	at, err := strconv.ParseInt(mark, 10, 64)
	if err != nil || at < 0 || at > b.info.Size() {
		return nil, fmt.Errorf("mark %q is not in a file of %d bytes", mark, b.info.Size())
	}
	f, err := b.root.OpenFile(b.name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not make us wait
	if err != nil {
		return nil, unavailable(err)
	}
	r := &reading{file: f, listed: b.info, at: at}
	if err := r.check(true); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// unavailable makes an error of a file, not of the process or the machine, one
// that wraps ErrGone.
func unavailable(err error) error {
	for _, e := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ELOOP, syscall.ENOTDIR, syscall.EIO} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", err, pipeline.ErrGone)
		}
	}
	return err
}

// reading reads a file up to the size that it had in the listing.
type reading struct {
	file   *os.File
	listed fs.FileInfo
	at     int64
}

// Read implements [io.Reader].
func (r *reading) Read(p []byte) (int, error) {
	left := r.listed.Size() - r.at
	if left == 0 {
		if err := r.check(false); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := r.file.Read(p[:min(int64(len(p)), left)])
	r.at += int64(n)
	switch {
	case err == io.EOF:
		return n, fmt.Errorf("%d of %d bytes: %w", r.at, r.listed.Size(), io.ErrUnexpectedEOF)
	case err != nil:
		return n, unavailable(err)
	}
	return n, nil
}

// check compares the open file with the listing: it is the same file, and it is
// as it was, or has grown. Who reads to the end of a file that was written over
// meanwhile has neither the one nor the other.
func (r *reading) check(open bool) error {
	now, err := r.file.Stat()
	if err != nil {
		return err
	}
	grown := now.Size() > r.listed.Size()
	same := now.Size() == r.listed.Size() && now.ModTime().Equal(r.listed.ModTime())
	if os.SameFile(now, r.listed) && now.Mode().IsRegular() && (same || grown) {
		return nil
	}
	if open {
		return fmt.Errorf("replaced after it was listed: %w", pipeline.ErrGone)
	}
	if now.Size() < r.listed.Size() {
		return fmt.Errorf("%d bytes, and now %d: %w", r.listed.Size(), now.Size(), io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("changed while it was read: %w", pipeline.ErrGone)
}

// Mark implements [pipeline.Marker]: a file can be entered anywhere.
func (r *reading) Mark() (string, int64) { return strconv.FormatInt(r.at, 10), r.at }

// Close implements [io.Closer].
func (r *reading) Close() error { return r.file.Close() }
