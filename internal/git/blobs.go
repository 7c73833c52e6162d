package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrMissing is wrapped by the error of what needs an object that is not here.
var ErrMissing = errors.New("the repository does not have it")

// Blobs reads contents of files, one after the other. It is not safe for
// concurrent use.
type Blobs struct {
	repo  *Repo
	child *child
	in    *bufio.Reader
	open  *blob
	err   error // after which nothing can be read
}

// Blobs starts a git that gives contents of files. It asks nothing of the
// remote. The end of ctx kills it. Close it in any case.
func (r *Repo) Blobs(ctx context.Context) (*Blobs, error) {
	c, err := r.start(ctx, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	b := &Blobs{repo: r, child: c, in: bufio.NewReaderSize(c.stdout, 64<<10)}
	r.adopt(b)
	return b, nil
}

// Open opens a blob and gives its size; [ErrMissing] if it is not here. A body
// that is open is closed by the next Open. A body that ends early is
// io.ErrUnexpectedEOF.
func (b *Blobs) Open(id OID) (size int64, body io.ReadCloser, err error) {
	if b.open != nil {
		b.open.Close()
	}
	if b.err != nil {
		return 0, nil, b.err
	}
	if !id.digits() {
		return 0, nil, fmt.Errorf("blob %q: no id", id)
	}
	if _, err := io.WriteString(b.child.stdin, string(id)+"\n"); err != nil {
		return 0, nil, b.fail(err)
	}
	line, err := b.in.ReadString('\n')
	if err != nil {
		return 0, nil, b.fail(err)
	}
	f := strings.Fields(line)
	if len(f) == 2 && f[1] == "missing" {
		return 0, nil, fmt.Errorf("blob %s: %w", id, ErrMissing)
	}
	if len(f) != 3 || f[0] != string(id) || f[1] != "blob" {
		return 0, nil, b.fail(fmt.Errorf("blob %s: %q", id, line))
	}
	if size, err = parseSize(f[2]); err != nil {
		return 0, nil, b.fail(err)
	}
	b.open = &blob{from: b, left: size}
	return size, b.open, nil
}

// fail ends the git: what it prints next cannot be told apart any more.
func (b *Blobs) fail(err error) error {
	b.err = b.child.fail(err)
	return b.err
}

// Close ends the git, and a body that is open. It may be called again, and does
// not fail.
func (b *Blobs) Close() error {
	b.repo.release(b)
	if b.err == nil {
		b.err = errors.New("cat-file: it is closed")
	}
	b.child.Close()
	return nil
}

// blob is the body of one.
type blob struct {
	from *Blobs
	left int64
	done bool // its newline is read
}

// Read implements io.Reader.
func (o *blob) Read(p []byte) (int, error) {
	switch {
	case o.from.open != o:
		return 0, errors.New("blob: it is closed")
	case o.from.err != nil:
		return 0, o.from.err
	case o.left == 0:
		return 0, o.end()
	}
	n, err := o.from.in.Read(p[:min(int64(len(p)), o.left)])
	o.left -= int64(n)
	if err != nil {
		err = o.from.fail(err)
	}
	return n, err
}

// end reads what follows the last byte.
func (o *blob) end() error {
	if o.done {
		return io.EOF
	}
	switch c, err := o.from.in.ReadByte(); {
	case err != nil:
		return o.from.fail(err)
	case c != '\n':
		return o.from.fail(fmt.Errorf("%q follows a blob", c))
	}
	o.done = true
	return io.EOF
}

// Close implements io.Closer. It reads the rest.
func (o *blob) Close() error {
	if o.from.open != o {
		return nil
	}
	_, err := io.Copy(io.Discard, o)
	o.from.open = nil
	return err
}
