package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Entry is a path of a commit that is no directory.
type Entry struct {
	Path string // from the root of the tree
	Mode Mode
	OID  OID
	Size int64 // of a file in bytes; -1 unless the commit was fetched with its blobs
}

// Tree calls yield for each entry of a commit below dir ("": all of them), in
// byte order of their paths. What a directory is, is no entry. A directory that
// is not there has none, and neither has commit "". It is an error that dir, or
// a directory on the way to it, is something else in that commit: who writes
// below dir would remove it. An error of yield ends it.
func (r *Repo) Tree(ctx context.Context, commit OID, dir string, yield func(Entry) error) error {
	if commit == "" {
		return nil
	}
	if err := r.directory(ctx, commit, dir); err != nil {
		return err
	}
	args := []string{"ls-tree", "-r", "-z", "--full-tree"}
	r.mu.Lock()
	if r.whole[commit] {
		args = append(args, "--long")
	}
	r.mu.Unlock()
	args = append(args, string(commit))
	if dir != "" {
		args = append(args, "--", dir+"/")
	}
	return r.list(ctx, args, func(in *bufio.Reader) error {
		text, err := field(in)
		if err != nil {
			return err
		}
		e, err := parseEntry(text)
		if err != nil {
			return err
		}
		return yield(e)
	})
}

// directory fails if dir or what it is in is in a commit and is no directory.
func (r *Repo) directory(ctx context.Context, commit OID, dir string) error {
	if dir == "" {
		return nil
	}
	var way []string
	for d := dir; d != "."; d = path.Dir(d) {
		way = append(way, d)
	}
	args := append([]string{"ls-tree", "-z", "--full-tree", string(commit), "--"}, way...)
	return r.list(ctx, args, func(in *bufio.Reader) error {
		text, err := field(in)
		if err != nil {
			return err
		}
		e, err := parseEntry(text)
		if err == nil && e.Mode != directory && slices.Contains(way, e.Path) {
			return fmt.Errorf("%s is not a directory in commit %s", e.Path, commit)
		}
		return err // what else is beside them is listed too
	})
}

// list runs a local git and calls next until its output ends.
func (r *Repo) list(ctx context.Context, args []string, next func(*bufio.Reader) error) error {
	c, err := r.start(ctx, args...)
	if err != nil {
		return err
	}
	defer c.Close()
	c.stdin.Close()
	in := bufio.NewReaderSize(c.stdout, 64<<10)
	for {
		if _, err := in.Peek(1); err == io.EOF {
			return c.wait()
		}
		switch err := next(in); {
		case err == errCut:
			return c.fail(io.EOF)
		case err != nil:
			return err
		}
	}
}

// errCut says that what git prints ended where it cannot end.
var errCut = fmt.Errorf("what git prints was cut: %w", io.ErrUnexpectedEOF)

// widest is the length of the longest field that git may print: a path, with
// what git says about it.
const widest = 1 << 20

// field reads up to a zero byte. It is valid until the next read.
func field(in *bufio.Reader) ([]byte, error) {
	text, err := in.ReadSlice(0)
	if err == nil {
		return text[:len(text)-1], nil
	}
	long := bytes.Clone(text)
	for err == bufio.ErrBufferFull && len(long) < widest {
		text, err = in.ReadSlice(0)
		long = append(long, text...)
	}
	switch err {
	case nil:
		return long[:len(long)-1], nil
	case io.EOF:
		return nil, errCut
	}
	return nil, err
}

// parseEntry reads what ls-tree -z prints of an entry:
// <mode> <type> <id>[ <size>]TAB<path>.
func parseEntry(text []byte) (Entry, error) {
	about, name, ok := strings.Cut(string(text), "\t")
	f := strings.Fields(about)
	if !ok || name == "" || len(f) < 3 || len(f) > 4 {
		return Entry{}, fmt.Errorf("ls-tree: a line that is none: %q", text)
	}
	mode, err := parseMode(f[0])
	e := Entry{Path: name, Mode: mode, OID: OID(f[2]), Size: -1}
	if err == nil && !e.OID.digits() {
		err = fmt.Errorf("%q is no id", f[2])
	}
	if err == nil && len(f) == 4 && f[3] != "-" {
		e.Size, err = parseSize(f[3])
	}
	if err != nil {
		return Entry{}, fmt.Errorf("ls-tree: %s: %w", name, err)
	}
	return e, nil
}

func parseMode(text string) (Mode, error) {
	m, err := strconv.ParseUint(text, 8, 32)
	return Mode(m), err
}

func parseSize(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err
}
