package git

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"sluice/internal/git"
	"sluice/internal/mirror"
	"sluice/pipeline"
)

// bucket has a row for each path.
const bucket = "sink.git"

// row is a fact: the item of a key and version, made as it is (transforms and
// what else bytes depend on), gave a blob. The zero row is none.
type row struct {
	Key     string  `json:"key"`
	Version string  `json:"version,omitempty"`
	Made    string  `json:"made"` // digest of what the bytes depend on beside the item
	Blob    git.OID `json:"blob"`
	Size    int64   `json:"size"` // in bytes
}

// at gives the row of a path: the size, and then each of the strings behind its
// length. A pass reads all rows, so it is not JSON.
func (r row) at(path string) pipeline.Row {
	b := binary.AppendVarint(nil, r.Size)
	for _, text := range []string{r.Key, r.Version, r.Made, string(r.Blob)} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return pipeline.Row{Bucket: bucket, Key: path, Value: b}
}

// decode reads the value of a row.
func decode(value []byte) (r row, err error) {
	size, n := binary.Varint(value)
	if n <= 0 {
		return r, errRow
	}
	r.Size = size
	rest := string(value[n:])
	for _, text := range []*string{&r.Key, &r.Version, &r.Made, (*string)(&r.Blob)} {
		length, n := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		if n <= 0 || length > uint64(len(rest)-n) {
			return r, errRow
		}
		*text, rest = rest[n:n+int(length)], rest[n+int(length):]
	}
	if rest != "" {
		return r, errRow
	}
	return r, nil
}

var errRow = errors.New("a row that is none")

// rowPage gives rows after a path: it is the Page of a [mirror.Window].
func rowPage(s pipeline.Store) func(context.Context, string) ([]mirror.Entry[row], bool, error) {
	return func(_ context.Context, after string) ([]mirror.Entry[row], bool, error) {
		if after != "" {
			after += "\x00" // the least path after it
		}
		return mirror.Rows(s, bucket, after, decode)
	}
}

// fate is what this walk knows of a path.
type fate uint8

const (
	unseen   fate = iota
	kept          // the source has it, and nothing was made of it: what is there stays
	held          // its row says what it is, and the commit that was fetched first has that there
	imported      // its row says what it is, and its blob is in our repository
)

func (f fate) taken() bool { return f == held || f == imported }

// seen is what a walk has seen. It may be used by several goroutines. A path
// takes about 40 bytes.
type seen struct {
	mu    sync.Mutex
	fates map[[2]uint64]fate // by the beginning of the SHA-256 of the path
}

func hashOf(path string) [2]uint64 {
	sum := sha256.Sum256([]byte(path))
	return [2]uint64{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])}
}

// first notes that the source has a path. It fails if it was noted before, or if
// there is no room for it.
func (s *seen) first(path string, most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := hashOf(path)
	if s.fates[h] != unseen {
		return fmt.Errorf("a tree holds one version of each key, and the source gives several of %s", path)
	}
	if len(s.fates) == most {
		return tooMany(most)
	}
	s.fates[h] = kept
	return nil
}

func tooMany(most int) error {
	return fmt.Errorf("there are more than max_files: %d files below path: raise it; each takes %d bytes of memory", most, needFile)
}

// set says what became of a path.
func (s *seen) set(path string, f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fates[hashOf(path)] = f
}

func (s *seen) of(path string) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fates[hashOf(path)]
}

// taken counts the paths whose rows say what they are.
func (s *seen) taken() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fates {
		if f.taken() {
			n++
		}
	}
	return n
}
