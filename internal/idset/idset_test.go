package idset_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/idset"
)

// doc is a document of the target.
type doc struct {
	ID, Routing string
	Version     int64
}

func newSet(t testing.TB, dir string) *idset.Set {
	t.Helper()
	s, err := idset.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// missing gives what is missing, and that nothing is left when it is closed.
func missing(t testing.TB, s *idset.Set, dir string) (list []doc) {
	t.Helper()
	err := s.Missing(context.Background(), func(id, routing []byte, version int64) error {
		list = append(list, doc{string(id), string(routing), version})
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: got %v, want nothing left", dir, err)
	}
	return list
}

// model is what a set should give.
type model struct {
	source map[[2]string]bool
	target map[[2]string]int64
}

func newModel() model { return model{map[[2]string]bool{}, map[[2]string]int64{}} }

func (m model) addTarget(id, routing string, version int64) {
	name := [2]string{id, routing}
	if v, ok := m.target[name]; !ok || v < version {
		m.target[name] = version
	}
}

func (m model) missing() (list []doc) {
	for name, version := range m.target {
		if !m.source[name] {
			list = append(list, doc{name[0], name[1], version})
		}
	}
	slices.SortFunc(list, func(a, b doc) int {
		if idset.Before([]byte(a.ID), []byte(a.Routing), []byte(b.ID), []byte(b.Routing)) {
			return -1
		}
		return 1
	})
	return list
}

// TestItAgreesWithAMap adds the same to a set and to maps: few names of any
// bytes, many of them more than once.
func TestItAgreesWithAMap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.OneOf(rapid.Map(rapid.IntRange(0, 300), func(n int) string { return fmt.Sprint(n) }),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }))
		routing := rapid.SampledFrom([]string{"", "", "", "r", "\x00\xff"})
		s, m := newSet(t, dir), newModel()
		if limit := rapid.IntRange(0, 2).Draw(rt, "limit"); limit == 1 {
			s.Small()
		} else if limit == 2 {
			s.Tiny()
		}
		for range rapid.IntRange(0, 200).Draw(rt, "adds") {
			id, r := name.Draw(rt, "id"), routing.Draw(rt, "routing")
			if rapid.Bool().Draw(rt, "source") {
				m.source[[2]string{id, r}] = true
				must(t, s.AddSource([]byte(id), []byte(r)))
				continue
			}
			version := rapid.Int64().Draw(rt, "version")
			m.addTarget(id, r, version)
			must(t, s.AddTarget([]byte(id), []byte(r), version))
		}
		if diff := cmp.Diff(m.missing(), missing(t, s, dir)); diff != "" {
			rt.Fatalf("missing (-want +got):\n%s", diff)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptySide(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	if got := missing(t, s, dir); len(got) != 0 {
		t.Errorf("nothing in nothing: got %v", got)
	}
	s = newSet(t, dir)
	must(t, s.AddSource([]byte("a"), nil))
	if got := missing(t, s, dir); len(got) != 0 {
		t.Errorf("an empty target: got %v, want nothing", got)
	}
	s = newSet(t, dir)
	must(t, s.AddTarget([]byte("a"), nil, 7))
	must(t, s.AddTarget(nil, []byte("a"), -1))
	if got := missing(t, s, dir); len(got) != 2 {
		t.Errorf("an empty source: got %v, want both", got)
	}
}

func TestAnIDWithItsRoutingIsNoOtherID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	must(t, s.AddSource([]byte("ab"), nil))
	must(t, s.AddSource([]byte("c"), []byte("r")))
	must(t, s.AddTarget([]byte("a"), []byte("b"), 1))
	must(t, s.AddTarget([]byte("c"), nil, 2))
	if got := missing(t, s, dir); len(got) != 2 {
		t.Errorf("got %v, want both documents of the target", got)
	}
}

// A part that only has the same again is small, however often it has it.
func TestTheSameAgainAndAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	s.Small()
	for v := range int64(10_000) {
		must(t, s.AddSource([]byte("a"), nil))
		must(t, s.AddTarget([]byte("a"), nil, v))
		must(t, s.AddTarget([]byte("b"), []byte("r"), (v*7919)%10_000))
	}
	if got, want := missing(t, s, dir), []doc{{"b", "r", 9999}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// About ten documents of a part, of all lengths, are found again and again.
func TestWhatIsFoundTwiceIsLeftOutAndTheRestStaysWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s, m := newSet(t, dir), newModel()
	s.Find(40, 4000)
	for n := range int64(20) {
		v := 20 - n // those that stay were added first
		for i := range 640 {
			id := fmt.Sprint(i) + strings.Repeat("x", i%50)
			m.addTarget(id, "", v)
			must(t, s.AddTarget([]byte(id), nil, v))
		}
	}
	if diff := cmp.Diff(m.missing(), missing(t, s, dir)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestSeveralGoroutinesMayAdd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s, m := newSet(t, dir), newModel()
	s.Small()
	const each = 250
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range each {
				id := fmt.Appendf(nil, "%d", i*4+g)
				if i%3 != 0 {
					must(t, s.AddSource(id, nil))
				}
				must(t, s.AddTarget(id, nil, int64(i)))
			}
		})
	}
	wg.Wait()
	for n := range 4 * each {
		if i := n / 4; i%3 == 0 {
			m.addTarget(fmt.Sprint(n), "", int64(i))
		}
	}
	if diff := cmp.Diff(m.missing(), missing(t, s, dir)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestTheOrderDependsOnTheDocumentsAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	run := func(small bool, step int) []doc {
		s := newSet(t, dir)
		if small {
			s.Small()
		}
		for i := range 1000 {
			n := i * step % 1000
			must(t, s.AddTarget(fmt.Append(nil, n), nil, int64(n)))
		}
		return missing(t, s, dir)
	}
	first := run(false, 1)
	if diff := cmp.Diff(first, run(true, 7)); diff != "" || len(first) != 1000 {
		t.Errorf("%d documents, in another order (-first +second):\n%s", len(first), diff)
	}
}

func TestWhatAKilledRunLeftIsRemovedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	s := newSet(t, dir)
	s.Small()
	for i := range 1000 {
		must(t, s.AddTarget(fmt.Append(nil, i), nil, 1))
	}
	left, _ := filepath.Glob(filepath.Join(dir, "ids-*"))
	if len(left) < 10 {
		t.Fatalf("%d files, want some to be left", len(left))
	}
	other := filepath.Join(dir, "other")
	must(t, os.WriteFile(other, nil, 0o666))
	s = newSet(t, dir)
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files in a new set, want only what is not its own", len(list))
	}
	must(t, s.AddTarget([]byte("new"), nil, 1))
	var got []string
	must(t, s.Missing(t.Context(), func(id, _ []byte, _ int64) error { got = append(got, string(id)); return nil }))
	if !slices.Equal(got, []string{"new"}) {
		t.Errorf("got %q, want nothing of what was left", got)
	}
	must(t, s.Close())
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left %v, want what is not its own", list)
	}
	must(t, os.Remove(other))
}

func TestAFullDiskIsAnErrorThatNamesTheDirectory(t *testing.T) {
	for _, after := range []int{0, 100, 300} {
		dir := filepath.Join(t.TempDir(), "ids")
		s := newSet(t, dir)
		s.Small()
		s.FullAfter(after, &os.PathError{Op: "write", Path: filepath.Join(dir, "x"), Err: syscall.ENOSPC})
		var err error
		for i := 0; i < 10_000 && err == nil; i++ {
			err = errors.Join(s.AddSource(fmt.Append(nil, i), nil), s.AddTarget(fmt.Append(nil, i), nil, 1))
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
			t.Errorf("full after %d bytes: got %v, want no space left in %s", after, err, dir)
		}
		if err := s.Missing(t.Context(), func([]byte, []byte, int64) error { return nil }); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full after %d bytes: missing: got %v, want the same error", after, err)
		}
		must(t, s.Close())
	}
}

func TestADiskThatIsFullOnlyWhenPartsAreCutIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	s.Small()
	for i := range 10_000 {
		must(t, errors.Join(s.AddSource(fmt.Append(nil, i), nil), s.AddTarget(fmt.Append(nil, i), nil, 1)))
	}
	s.FullAfter(20, syscall.ENOSPC)
	if err := s.Missing(t.Context(), func([]byte, []byte, int64) error { return nil }); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want that there is no space left", err)
	}
	must(t, s.Close())
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o666))
	if _, err := idset.New(filepath.Join(file, "ids")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names it", err)
	}
}

// Whatever a file has lost or gained is an error and no smaller set.
func TestAFileThatIsNotAsItWasWrittenIsAnError(t *testing.T) {
	for name, damage := range map[string]func(path string, b []byte) error{
		"cut":    func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)-1], 0o666) },
		"empty":  func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o666) },
		"gone":   func(path string, _ []byte) error { return os.Remove(path) },
		"longer": func(path string, b []byte) error { return os.WriteFile(path, append(b, make([]byte, 16)...), 0o666) },
		"garbage": func(path string, b []byte) error {
			return os.WriteFile(path, []byte(strings.Repeat("\xff", len(b))), 0o666)
		},
	} {
		for _, side := range []string{"source", "target"} {
			if name == "garbage" && side == "source" {
				continue // any bytes are hashes
			}
			dir := filepath.Join(t.TempDir(), "ids")
			s := newSet(t, dir)
			s.Small()
			for i := range 1000 {
				must(t, errors.Join(s.AddSource(fmt.Append(nil, i), nil), s.AddTarget(fmt.Append(nil, i), nil, 1)))
			}
			path := filepath.Join(dir, "ids-"+side+"-07")
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, damage(path, b))
			if err := s.Missing(t.Context(), func([]byte, []byte, int64) error { return nil }); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s of the %s: got %v, want an error that names it", name, side, err)
			}
			must(t, s.Close())
		}
	}
}

func TestALongNameIsTakenAndATooLongOneIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	routing := []byte(strings.Repeat("r", idset.MaxName-2))
	for i := range 20 {
		must(t, s.AddTarget(fmt.Appendf(nil, "%02d", i), routing, 1))
	}
	if err := s.AddTarget([]byte("xxx"), routing, 1); err == nil {
		t.Error("a name that is too long: got no error")
	}
	if err := s.AddSource([]byte("xxx"), routing); err == nil {
		t.Error("a name that is too long: got no error")
	}
	if got := missing(t, s, dir); len(got) != 20 || got[0].Routing != string(routing) {
		t.Errorf("got %d documents, want 20 with their routing", len(got))
	}
}

func TestItEndsWithItsContextAndWithAnErrorOfTheCaller(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	must(t, s.AddTarget([]byte("a"), nil, 1))
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if err := s.Missing(ctx, func([]byte, []byte, int64) error { return nil }); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	if err := s.Missing(t.Context(), func([]byte, []byte, int64) error { return nil }); err == nil {
		t.Error("a second time: got no error, want one")
	}
	must(t, s.Close())
	s = newSet(t, dir)
	must(t, s.AddTarget([]byte("a"), nil, 1))
	must(t, s.AddTarget([]byte("b"), nil, 1))
	calls := 0
	err := s.Missing(t.Context(), func([]byte, []byte, int64) error { calls++; return cause })
	if !errors.Is(err, cause) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after one", err, calls, cause)
	}
	must(t, s.Close())
}

func TestPartsAreCutByAllBitsOfTheHash(t *testing.T) {
	for i := range 100 {
		if !idset.Children(fmt.Append(nil, i)) {
			t.Errorf("%d: the bits are not those of its hash", i)
		}
	}
}

func TestMemoryIsWhatItSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	said, are, sum := idset.Sizes(s)
	if said != are || sum > idset.Memory {
		t.Errorf("sizes %v and %d in all, want %v and at most %d", are, sum, said, idset.Memory)
	}
	must(t, s.Close())
}

// peak compares so many ids on both sides, of which every thousandth is missing, and returns
// the most memory that was in use. If cut, there is memory for next to no ids.
func peak(t *testing.T, ids int, cut bool) (most uint64) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	if cut {
		s.Cut(512)
	}
	var m runtime.MemStats
	look := func() {
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	id := make([]byte, 20)
	for i := range ids {
		binary.LittleEndian.PutUint64(id, uint64(i)*0x9e3779b97f4a7c15)
		var err error
		if i%1000 != 0 {
			err = s.AddSource(id, nil)
		}
		if err = errors.Join(err, s.AddTarget(id, nil, int64(i))); err != nil {
			t.Fatal(err)
		}
		if i%(ids/4) == 0 {
			look()
		}
	}
	n := 0
	err := s.Missing(t.Context(), func([]byte, []byte, int64) error {
		if n++; n%(ids/10_000) == 0 {
			look()
		}
		return nil
	})
	must(t, errors.Join(err, s.Close()))
	if n != ids/1000 {
		t.Errorf("of %d ids: got %d missing, want %d", ids, n, ids/1000)
	}
	return most
}

func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	small, large, cut := peak(t, 100_000, false), peak(t, 2_500_000, false), peak(t, 200_000, true)
	t.Logf("%d KiB for 100,000 ids, %d KiB for 2,500,000, %d KiB when parts are cut", small>>10, large>>10, cut>>10)
	if most := uint64(idset.Memory + 2<<20); large > most || cut > most || float64(large) > 1.15*float64(small) {
		t.Errorf("%d KiB for 2,500,000 ids and %d KiB for 100,000, %d KiB when parts are cut, want the same, and at most %d", large>>10, small>>10, cut>>10, most>>10)
	}
}

func TestNothingIsAllocatedPerDocument(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ids")
	s := newSet(t, dir)
	id, n := make([]byte, 20), uint64(0)
	add := func() {
		for range 1000 {
			n++
			binary.LittleEndian.PutUint64(id, n)
			must(t, errors.Join(s.AddSource(id, id), s.AddTarget(id, id[:4], 1)))
		}
	}
	for range 100 {
		add()
	}
	if got := testing.AllocsPerRun(10, add); got > 5 {
		t.Errorf("%.0f allocations for 2000 documents, want next to none", got)
	}
	must(t, s.Close())
}

// FuzzSet reads what is to be added from bytes: which side, the length of the
// _id, that of the routing, and both.
func FuzzSet(f *testing.F) {
	f.Add([]byte{0, 1, 0, 'a', 1, 1, 0, 'a', 1, 1, 1, 'a', 'b'}, true)
	f.Add([]byte{1, 0, 0, 1, 3, 2, 0xff, 0, '\n', 'r', 's'}, false)
	f.Fuzz(func(t *testing.T, b []byte, small bool) {
		dir := filepath.Join(t.TempDir(), "ids")
		s, m := newSet(t, dir), newModel()
		if small {
			s.Tiny()
		}
		for n := int64(0); len(b) >= 3; n++ {
			side, id, routing := b[0], int(b[1]%20), int(b[2]%20)
			if b = b[3:]; len(b) < id+routing {
				break
			}
			i, r := b[:id], b[id:id+routing]
			b = b[id+routing:]
			if side%2 == 0 {
				m.source[[2]string{string(i), string(r)}] = true
				must(t, s.AddSource(i, r))
				continue
			}
			m.addTarget(string(i), string(r), n)
			must(t, s.AddTarget(i, r, n))
		}
		if diff := cmp.Diff(m.missing(), missing(t, s, dir)); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "ids")
	for b.Loop() {
		s := newSet(b, dir)
		id := make([]byte, 20)
		for i := range 500_000 {
			binary.LittleEndian.PutUint64(id, uint64(i))
			must(b, errors.Join(s.AddSource(id, nil), s.AddTarget(id, nil, 1)))
		}
		must(b, s.Missing(b.Context(), func([]byte, []byte, int64) error { return nil }))
		must(b, s.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*500_000), "ns/document")
}
