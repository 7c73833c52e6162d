package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/state"
	"sluice/pipeline"
)

// world is a state file with a tree of several pages, and what is in it; old is
// the file as it was some puts before.
type world struct {
	file, old []byte
	rows      string
}

var buckets = []string{"meta", "pass", "lanes", "sink.x"}

func makeWorld(t testing.TB, lanes int) (w world) {
	t.Helper()
	path := filepath.Join(inMemory(t), "x.db")
	s := open(t, path)
	for n := range 12 {
		rows := []pipeline.Row{row("pass", "current", fmt.Sprintf(`{"Number":%d}`, n))}
		for i := range lanes {
			rows = append(rows, row("lanes", fmt.Sprintf("logs-%03d", i), fmt.Sprintf(`{"ID":"%032d","Pos":{"Token":"%d"}}`, i, n)))
		}
		put(t, s, append(rows, row("sink.x", fmt.Sprint(n), "v"))...)
		if n == 8 {
			w.old = read(t, path)
		}
	}
	var err error
	if w.rows, err = dump(s, buckets...); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	w.file = read(t, path)
	return w
}

// inMemory is a directory for files that need not be durable.
func inMemory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "state")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// try opens a file: it is found to be damaged, or has all rows and takes more.
func (w world) try(t testing.TB, path string, file []byte) (whole bool) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := state.Open(path)
	var damaged *state.DamagedError
	if errors.As(err, &damaged) {
		return false
	}
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer shut(t, s)
	for n := range 4 {
		if got, err := dump(s, buckets...); err != nil || got != w.rows {
			t.Fatalf("opened, but rows are not what they were after %d puts: %v", n, err)
		}
		put(t, s, row("more", fmt.Sprint(n), strings.Repeat("m", 9000))) // pages that are free are written
	}
	return true
}

// TestEveryByteOfTheBeginningAndOfTheFreelistCounts changes what bbolt needs
// to find its pages, and to know which ones it may write.
func TestEveryByteOfTheBeginningAndOfTheFreelistCounts(t *testing.T) {
	w := makeWorld(t, 10)
	path, page, wholes := filepath.Join(inMemory(t), "x.db"), os.Getpagesize(), 0
	var places []int
	for at := 0; at < len(w.file); at += page {
		size := 80
		if w.file[at+8] == 0x10 {
			size = 16 + 8*int(w.file[at+10])
		} else if at >= 2*page {
			continue
		}
		for i := range size {
			places = append(places, at+i)
		}
	}
	for _, i := range places {
		for _, bit := range []byte{1, 64} {
			w.file[i] ^= bit
			if w.try(t, path, w.file) {
				wholes++
			}
			w.file[i] ^= bit
		}
	}
	if n := 2 * len(places); n < 300 || wholes > n*3/4 { // freelists that are no longer in use do not matter
		t.Errorf("%d of %d changes do not matter", wholes, n)
	}
}

func TestACutStateIsRefused(t *testing.T) {
	w := makeWorld(t, 120)
	path, wholes := filepath.Join(inMemory(t), "x.db"), 0
	for n := 0; n < len(w.file); n += 997 {
		if w.try(t, path, w.file[:n]) {
			wholes++
		}
	}
	t.Logf("%d bytes; %d of the cuts left a whole state", len(w.file), wholes)
	if wholes > len(w.file)/997/2 {
		t.Errorf("%d cuts left a whole state", wholes)
	}
}

// TestAChangedByteIsFoundOrDoesNotMatter changes bytes of a file in turn: all
// with STATE_TEST_EVERY_BYTE set, which takes minutes.
func TestAChangedByteIsFoundOrDoesNotMatter(t *testing.T) {
	for lanes, step := range map[int]int{2: 47, 120: 199} { // rows in one page, in a tree of pages
		if os.Getenv("STATE_TEST_EVERY_BYTE") != "" {
			step = 1
		}
		w := makeWorld(t, lanes)
		path, wholes := filepath.Join(inMemory(t), "x.db"), 0
		r := rand.New(rand.NewPCG(1, 2))
		for i := 0; i < len(w.file); i += step {
			was := w.file[i]
			w.file[i] ^= byte(1 << r.IntN(8))
			if err := os.WriteFile(path, w.file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := state.Read(path)
			var damaged *state.DamagedError
			switch {
			case err != nil && !errors.As(err, &damaged):
				t.Fatalf("byte %d: %v", i, err)
			case err == nil:
				if wholes++; wholes%50 == 0 && !w.try(t, path, w.file) {
					t.Fatalf("byte %d: Read finds it whole, Open does not", i)
				}
			case i/step%50 == 0 && w.try(t, path, w.file):
				t.Fatalf("byte %d: Open finds it whole, Read does not", i)
			}
			w.file[i] = was
		}
		t.Logf("%d bytes, %d do not matter", len(w.file), wholes)
	}
}

// TestAPageThatIsNotTheLastOneIsFound puts each page back to what it was before
// the last writes, and in the place of each other.
func TestAPageThatIsNotTheLastOneIsFound(t *testing.T) {
	w := makeWorld(t, 60)
	path, page, found := filepath.Join(inMemory(t), "x.db"), os.Getpagesize(), 0
	for i := 0; i+page <= len(w.old); i += page {
		file := bytes.Clone(w.file)
		copy(file[i:], w.old[i:i+page])
		if !w.try(t, path, file) {
			found++
		}
		for j := i % 5 * page; j+page <= len(w.file); j += 5 * page {
			file := bytes.Clone(w.file)
			copy(file[i:], w.file[j:j+page])
			w.try(t, path, file)
			binaryID(file[i:], i/page) // and now it says that it belongs there
			w.try(t, path, file)
		}
	}
	if found < 2 {
		t.Errorf("%d old pages were found", found)
	}
}

func binaryID(page []byte, id int) { page[0], page[1] = byte(id), byte(id>>8) }

func FuzzOpenOfAChangedState(f *testing.F) {
	w := makeWorld(f, 120)
	f.Add(uint32(16), []byte{1}, uint32(4096), []byte{2})
	f.Add(uint32(4096*3), bytes.Repeat([]byte{0xff}, 24), uint32(0), []byte{})
	f.Fuzz(func(t *testing.T, at uint32, xor []byte, at2 uint32, xor2 []byte) {
		file := bytes.Clone(w.file)
		for i, x := range xor {
			file[(int(at)+i)%len(file)] ^= x
		}
		for i, x := range xor2 {
			file[(int(at2)+i)%len(file)] ^= x
		}
		w.try(t, filepath.Join(inMemory(t), "x.db"), file)
	})
}
