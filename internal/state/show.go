package state

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"sluice/internal/disk"
	"sluice/pipeline"
)

// Summary is what a state says of its pipeline.
type Summary struct {
	pipeline.Saved
	Path   string
	InUse  string            // the number of the process that has it open, or ""
	Stages map[string]string // their identities
	Undo   map[string]string // what the sink has changed and is to put back, by name: how it was
}

// undoBucket is where sinks keep what they are to put back.
const undoBucket = "sink.undo"

// tries is how often a state is read whose pages may be written meanwhile.
const tries = 20

// Read reads a state without changing it, also one that another process has
// open: it is then as it was at one of the saves during the call. Without a
// state the error wraps [fs.ErrNotExist].
func Read(path string) (*Summary, error) {
	var rows rows
	user, err := shared(path, func() (err error) { rows, err = readRows(path); return err })
	if err != nil {
		return nil, err
	}
	s := &Summary{Path: path, InUse: user, Undo: map[string]string{}}
	for name, was := range rows[undoBucket] {
		s.Undo[name] = string(was)
	}
	if s.Saved, err = pipeline.Load(rows); err != nil {
		return nil, err
	}
	s.Stages, err = bound(rows)
	return s, err
}

// Fits is nil if pipelines of these identities go on with the state, as
// [Store.Bind] says it.
func (s *Summary) Fits(identity map[string]string) error {
	changes := compare(s.Stages, identity)
	if len(changes) == 0 || s.Pass == 0 || len(s.Stages) == 0 {
		return nil
	}
	return &ChangedError{Path: s.Path, Changes: changes}
}

// Rows calls f for the rows of a bucket of a state as Read reads it; while
// another process has it open, maybe more than once. The value is valid during
// the call.
func Rows(path, bucket string, f func(key string, value []byte) error) error {
	_, err := shared(path, func() error {
		return walkFile(path, func(b, key string, value []byte) error {
			if b != bucket {
				return nil
			}
			return f(key, value)
		})
	})
	return err
}

// shared reads a state, again if it is written meanwhile, and says which process
// has it open.
func shared(path string, read func() error) (user string, err error) {
	user, done, err := share(path)
	if err != nil {
		return "", err
	}
	defer done()
	for n := 1; ; n++ {
		if err = read(); err == nil {
			return user, nil
		}
		if d := damaged(""); user == "" || n == tries || !errors.As(err, &d) {
			return "", damagedOr(path, err)
		}
	}
}

// share keeps other processes from opening the state until done is called, or
// says which one has it open.
func share(path string) (user string, done func(), err error) {
	lock, err := os.Open(path + ".lock")
	if errors.Is(err, fs.ErrNotExist) { // it was never opened, or copied here
		return "", func() {}, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("state: %w", err)
	}
	if err := flock(lock, unix.LOCK_SH, 0); err != nil {
		user = holder(lock)
	}
	return user, func() { lock.Close() }, nil
}

// rows are the rows of the frame and of this package, in memory.
type rows map[string]map[string][]byte

var errReadOnly = errors.New("read only")

func readRows(path string) (rows, error) {
	all := rows{metaBucket: {}, "pass": {}, "lanes": {}, undoBucket: {}}
	return all, walkFile(path, func(bucket, key string, value []byte) error {
		if b := all[bucket]; b != nil {
			b[key] = slices.Clone(value)
		}
		return nil
	})
}

func walkFile(path string, row func(bucket, key string, value []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return walk(f, info.Size(), row)
}

// Get implements [pipeline.Store].
func (r rows) Get(bucket, key string) ([]byte, error) { return r[bucket][key], nil }

// Range implements [pipeline.Store].
func (r rows) Range(bucket, from string, f func(string, []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(r[bucket])) {
		if k < from {
			continue
		}
		if err := f(k, r[bucket][k]); err != nil {
			return err
		}
	}
	return nil
}

// Put implements [pipeline.Store].
func (rows) Put(...pipeline.Row) error { return errReadOnly }

// Show writes the summary as a table for people.
func (s *Summary) Show(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "state\t%s%s\n", s.Path, s.use())
	for _, stage := range slices.Sorted(maps.Keys(s.Stages)) {
		fmt.Fprintf(t, "%s\t%s\n", stage, s.Stages[stage])
	}
	fmt.Fprintf(t, "pass\t%s\n", s.pass())
	if len(s.Lanes) > 0 {
		fmt.Fprintln(t, "\nlane\tended\tstart\tread\twritten\tfiltered\tdead\tposition")
	}
	for _, l := range s.Lanes {
		st := s.States[l.Name]
		c := st.Counts
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", l.Name, yes(st.Ended), st.Start,
			c.Read, c.Written, c.Filtered, c.Dead, position(st.Pos))
	}
	if len(s.Undo) > 0 {
		fmt.Fprintln(t, "\nchanged for a load\tthe next run puts back")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Undo)) {
		fmt.Fprintf(t, "%s\t%s\n", name, s.Undo[name])
	}
	return t.Flush()
}

func (s *Summary) use() string {
	if s.InUse == "" {
		return ""
	}
	return fmt.Sprintf(" (in use by process %s)", s.InUse)
}

func (s *Summary) pass() string {
	switch {
	case s.Pass == 0:
		return "none yet"
	case s.Complete:
		return fmt.Sprintf("%d, complete", s.Pass)
	}
	ended := 0
	for _, l := range s.Lanes {
		if s.States[l.Name].Ended {
			ended++
		}
	}
	return fmt.Sprintf("%d, not complete: %d of %d lanes have ended", s.Pass, ended, len(s.Lanes))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// position is short where only the source has a part in it.
func position(p pipeline.Position) string {
	bare := p == pipeline.Position{Token: p.Token}
	if bare && !strings.ContainsFunc(p.Token, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return cmp.Or(p.Token, "beginning")
	}
	b, _ := json.Marshal(p)
	return string(b)
}

// Replays ends the name of a state beside another one, in which it is remembered
// what of the dead letters was replayed.
const Replays = ".replay"

// Reset removes a state, so that the next run begins at the beginning, and what
// is remembered of its dead letters: passes have the same numbers again. Without
// a state the error wraps [fs.ErrNotExist]; a state in use is [ErrInUse].
func Reset(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := remove(path + Replays); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return remove(path)
}

func remove(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	lock, err := lockFile(path)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := disk.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
