package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/state"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

var identity = map[string]string{"source": "s3 bucket a", "transforms.1": "gzip", "sink": "file dir b"}

// interrupted is the state of a pipeline whose pass is under way: lane a has
// ended, lane b has not.
func interrupted(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logs.db")
	s := open(t, path)
	defer shut(t, s)
	if err := s.Bind(identity); err != nil {
		t.Fatal(err)
	}
	put(t, s, row("pass", "current", `{"Number":3,"Lanes":[{"Name":"a","ID":"A"},{"Name":"b","ID":"B"},{"Name":"c","ID":"C"}]}`),
		row("lanes", "a", `{"ID":"A","Pos":{"Token":"400"},"Ended":true,"Counts":{"Read":400,"Written":398,"Dead":2}}`),
		row("lanes", "b", `{"ID":"B","Pos":{"Token":"k1","Inner":"77","Key":"k2"},"Start":1,"Counts":{"Read":9,"Created":1,"Written":7,"Filtered":3}}`),
		row("lanes", "c", `{"ID":"C","Pos":{"Token":"tab\t\u001b[31m"}}`),
		row("sink.undo", "logs-1", `{"Settings":{"index.refresh_interval":null}}`))
	return path
}

func TestShowSaysHowFarLanesAre(t *testing.T) {
	path := interrupted(t)
	s, err := state.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Pass != 3 || s.Complete || len(s.Lanes) != 3 || !s.States["a"].Ended || s.States["b"].Start != 1 || s.InUse != "" || !maps.Equal(s.Stages, identity) {
		t.Errorf("%+v", s)
	}
	var b strings.Builder
	if err := s.Show(&b); err != nil {
		t.Fatal(err)
	}
	want := `state         ` + path + `
sink          file dir b
source        s3 bucket a
transforms.1  gzip
pass          3, not complete: 1 of 3 lanes have ended

lane  ended  start  read  written  filtered  dead  position
a     yes    0      400   398      0         2     400
b     no     1      9     7        3         0     {"Token":"k1","Inner":"77","Key":"k2","Version":"","Hint":""}
c     no     0      0     0        0         0     {"Token":"tab\t\u001b[31m","Inner":"","Key":"","Version":"","Hint":""}

changed for a load  the next run puts back
logs-1              {"Settings":{"index.refresh_interval":null}}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShowOfAnEmptyStateAndOfACompletePass(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs.db")
	s := open(t, path)
	put(t, s, row("pass", "current", `{"Number":1,"Complete":true}`))
	shut(t, s)
	empty := filepath.Join(t.TempDir(), "logs.db")
	shut(t, open(t, empty))
	for path, want := range map[string]string{path: "1, complete\n", empty: "none yet\n"} {
		s, err := state.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		s.Show(&b)
		if !strings.HasSuffix(b.String(), want) {
			t.Errorf("got %q, want it to end with %q", b.String(), want)
		}
	}
}

func TestReadOfAStateInUseGivesOneOfItsSaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	defer shut(t, s)
	put(t, s, row("lanes", "a", `{"Start":0}`), row("lanes", "b", `{"Start":0}`))
	const saves = 60
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for n := range saves + 1 {
			v := fmt.Sprintf(`{"Start":%d}`, n)
			if err := s.Put(row("lanes", "a", v), row("lanes", "b", v), row("sink.x", fmt.Sprint(n), strings.Repeat("x", 500))); err != nil {
				t.Errorf("put: %v", err)
			}
		}
	})
	for last := 0; last < saves && !t.Failed(); {
		got, err := state.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := got.States["a"].Start, got.States["b"].Start
		if a != b || a < last || got.InUse != fmt.Sprint(os.Getpid()) {
			t.Fatalf("a %d, b %d after %d, in use by %q", a, b, last, got.InUse)
		}
		last = a
	}
}

func TestWithoutAStateThereIsNothingToShowOrReset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := state.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v, want %v", err, fs.ErrNotExist)
	}
	if err := state.Reset(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reset: %v, want %v", err, fs.ErrNotExist)
	}
	if left, _ := filepath.Glob(path + "*"); left != nil {
		t.Errorf("made %s", left)
	}
}

func TestResetMakesAFreshStart(t *testing.T) {
	path := interrupted(t)
	if err := os.Truncate(path, 5000); err != nil { // damaged: that is what it is for
		t.Fatal(err)
	}
	if err := state.Reset(path); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer shut(t, s)
	if saved, err := pipeline.Load(s); err != nil || saved.Pass != 0 || len(saved.States) != 0 {
		t.Errorf("%+v, %v", saved, err)
	}
}

func TestAChangedStageIsRefusedUntilItIsAccepted(t *testing.T) {
	path := interrupted(t)
	s := open(t, path)
	defer shut(t, s)
	if err := s.Bind(identity); err != nil {
		t.Errorf("the same stages: %v", err)
	}
	other := map[string]string{"source": "s3 bucket a", "sink": "file dir c", "transforms.2": "zstd"}
	err := s.Bind(other)
	var changed *state.ChangedError
	if !errors.As(err, &changed) {
		t.Fatalf("%v: not a ChangedError", err)
	}
	want := []state.Change{{"sink", "file dir b", "file dir c"}, {"transforms.1", "gzip", ""}, {"transforms.2", "", "zstd"}}
	if diff := cmp.Diff(want, changed.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text := fmt.Sprintf("state %s was made with other stages:\n  sink: was file dir b, is file dir c\n  transforms.1: was gzip, is none\n"+
		"  transforms.2: was none, is zstd\n--accept goes on with it as it is, `sluice checkpoint reset logs` begins at the beginning", path)
	if diff := cmp.Diff(text, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.Accept(other); err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(other); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if err := s.Bind(identity); !errors.As(err, &changed) {
		t.Errorf("%v, want the former stages to be refused now", err)
	}
}

func TestBeforeTheFirstPassAnyStageMayChange(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer shut(t, s)
	for _, id := range []map[string]string{identity, {"source": "other"}, identity} {
		if err := s.Bind(id); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestAPipelineGoesOnWithItsState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	objects := map[string]string{}
	for n, mode := range []pipelinetest.Mode{pipelinetest.Crash, pipelinetest.Fail, pipelinetest.Crash} {
		w := &pipelinetest.World{Mode: mode, At: 5}
		if n == 2 {
			w.At = 0
		}
		s := open(t, path)
		p := &pipeline.Pipeline{Store: s, Lanes: 2, Sink: &pipelinetest.Sink{World: w, Roll: 2, Objects: objects},
			Source: &pipelinetest.Source{World: w, Lines: 3, Blocks: true, Lanes: func(int64) []pipelinetest.Lane {
				return []pipelinetest.Lane{{Name: "a", ID: "A", To: 4}, {Name: "b", ID: "B", To: 3}}
			}}}
		res, err := p.Run(t.Context())
		if res.Complete != (n == 2) || (err == nil) != (n == 2) || res.Pass > 1 {
			t.Fatalf("run %d: %+v, %v", n, res, err)
		}
		shut(t, s)
	}
	if s, err := state.Read(path); err != nil || !s.Complete || s.Pass != 1 || s.States["a"].Counts.Written != 12 || len(objects) != 4 {
		t.Errorf("%+v, %v, %d objects", s, err, len(objects))
	}
}
