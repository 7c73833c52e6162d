package idset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// part is what one side has of a range of hashes. What fits into its buffer is
// in no file.
type part struct {
	path string

	mu   sync.Mutex
	file io.WriteCloser // nil: none yet
	buf  []byte         // not yet in the file
	n    int64          // entries
	err  error          // the first one: something that was added is lost
}

// addSource adds an entry of the source: a hash.
func (p *part) addSource(s *Set, h hash) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.room(s, hashSize); err != nil {
		return err
	}
	p.buf = h.append(p.buf)
	p.n++
	return nil
}

// overhead is what an entry of the target has besides its names, at most.
const overhead = 8 + 2*binary.MaxVarintLen16

// addTarget adds an entry of the target: version, _id and routing.
func (p *part) addTarget(s *Set, id, routing []byte, version int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.room(s, overhead+len(id)+len(routing)); err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint64(p.buf, uint64(version))
	b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	p.buf = append(binary.AppendUvarint(b, uint64(len(routing))), routing...)
	p.n++
	return nil
}

// room makes room for n bytes in the buffer.
func (p *part) room(s *Set, n int) error {
	if p.err != nil {
		return p.err
	}
	if p.buf == nil {
		p.buf = make([]byte, 0, s.sizes.buffer)
	}
	if len(p.buf)+n <= cap(p.buf) {
		return nil
	}
	return p.flush(s)
}

// flush writes the buffer to the file.
func (p *part) flush(s *Set) error {
	if p.err == nil && p.file == nil && len(p.buf) > 0 {
		p.file, p.err = s.create(p.path)
	}
	if p.err == nil && len(p.buf) > 0 {
		_, p.err = p.file.Write(p.buf)
	}
	p.buf = p.buf[:0]
	return p.err
}

// open gives what was added.
func (p *part) open() (io.ReadCloser, error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.file == nil {
		return io.NopCloser(bytes.NewReader(p.buf)), nil
	}
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(f, bytes.NewReader(p.buf)), f}, nil
}

// close ends writing.
func (p *part) close() error {
	if p.file == nil {
		return nil
	}
	if err := p.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// closeAll closes parts that are removed anyhow.
func closeAll(parts []part) {
	for i := range parts {
		parts[i].close()
	}
}

// forget removes the file.
func (p *part) forget() error {
	err := p.close()
	if p.file != nil {
		err = errors.Join(err, os.Remove(p.path))
	}
	*p = part{}
	return err
}

// cut is the parts of a part. Their buffers are empty: those of the set.
func (s *Set) cut(p *part) []part {
	if s.spare == nil {
		for range fan {
			s.spare = append(s.spare, make([]byte, 0, s.sizes.buffer))
		}
	}
	children := make([]part, fan)
	for i := range children {
		children[i].path, children[i].buf = fmt.Sprintf("%s-%02d", p.path, i), s.spare[i]
	}
	return children
}
