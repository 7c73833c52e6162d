package git

import (
	"bytes"
	"errors"
	"io"
	"os"

	"sluice/internal/git"
)

// inMemory is the most of a body that is held in memory; what is longer is
// spooled to a file.
const inMemory = 256 << 10

// errLarge ends the reading of a body that is longer than it may be.
var errLarge = errors.New("it is larger than max_file_size")

// content is the bytes of one item after the other, each read to its end before
// anybody uses it.
type content struct {
	dir   string // for the file
	most  int64  // bytes that a body may have
	count bool   // of one that has more, the bytes are counted and dropped

	copy  []byte // through which bodies are copied
	buf   bytes.Buffer
	spool *os.File // nil: none yet
	size  int64
}

// reset makes it empty.
func (c *content) reset() error {
	c.buf.Reset()
	c.size = 0
	if c.spool == nil {
		return nil
	}
	err := c.spool.Close()
	c.spool = nil
	return err
}

// large says whether the body is longer than it may be.
func (c *content) large() bool { return c.size > c.most }

// Write implements [io.Writer].
func (c *content) Write(p []byte) (n int, err error) {
	c.size += int64(len(p))
	switch {
	case c.large() && !c.count:
		return 0, errLarge
	case c.large():
		return len(p), nil
	case c.spool != nil:
		return c.spool.Write(p)
	case c.size <= inMemory:
		return c.buf.Write(p)
	}
	if c.spool, err = temp(c.dir); err != nil {
		return 0, err
	}
	if _, err := c.spool.Write(c.buf.Bytes()); err != nil {
		return 0, err
	}
	return c.spool.Write(p)
}

// set makes it a text.
func (c *content) set(text string) error {
	if err := c.reset(); err != nil {
		return err
	}
	c.buf.WriteString(text)
	c.size = int64(len(text))
	return nil
}

// reader reads it from its beginning.
func (c *content) reader() io.Reader {
	if c.spool != nil {
		return io.NewSectionReader(c.spool, 0, c.size)
	}
	return bytes.NewReader(c.buf.Bytes())
}

// blob is the id that git gives it.
func (c *content) blob(repo *git.Repo) (git.OID, error) {
	h := repo.BlobOID(c.size)
	if _, err := io.Copy(h, c.reader()); err != nil {
		return "", err
	}
	if id := h.Sum(); id != "" {
		return id, nil
	}
	return "", io.ErrUnexpectedEOF
}
