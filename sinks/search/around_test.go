package search_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/search"
)

func backfill(cfg *search.Config) { cfg.Backfill = true }

const hushed = "number_of_replicas=0 refresh_interval=-1"

func TestABackfillChangesSettingsBeforeTheFirstRecordAndPutsThemBack(t *testing.T) {
	for name, was := range map[string][]string{
		"number_of_replicas=1":                      nil, // refresh_interval was never set
		"number_of_replicas=2 refresh_interval=30s": {"number_of_replicas=2", "refresh_interval=30s"},
		hushed: {"number_of_replicas=0", "refresh_interval=-1"},
		"auto_expand_replicas=0-1 number_of_replicas=1": {"auto_expand_replicas=0-1"},
	} {
		w := newTown(t)
		w.put("logs", was...)
		during := ""
		w.hook = func(what string) {
			if what == "bulk" {
				during = w.of("logs")
			}
		}
		newLoading(some(0, 3)).complete(t, w.config(backfill), 0)
		want := hushed
		if strings.Contains(name, "auto") {
			want = "auto_expand_replicas=0-1 number_of_replicas=1 refresh_interval=-1"
		}
		if during != want || w.of("logs") != name {
			t.Errorf("settings %q while it was loaded and %q then, want %q and %q", during, w.of("logs"), want, name)
		}
	}
}

func TestABackfillMakesAnIndexAsTheEngineWould(t *testing.T) {
	w := newTown(t)
	newLoading(some(0, 3)).complete(t, w.config(backfill), 0)
	want := []string{"PUT logs {}", "PUT logs/_settings", "bulk", "PUT logs/_settings", "POST logs/_refresh"}
	var got []string
	for _, what := range w.trace {
		got = append(got, strings.TrimSpace(strings.TrimSuffix(what, what[strings.LastIndexByte(what, ' ')+1:])))
	}
	got[0], got[2], got[4] = w.trace[0], w.trace[2], w.trace[4]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestSettingsArePutBackWhenARunFailsOrIsStopped(t *testing.T) {
	for _, how := range []string{"fails", "stopped"} {
		w := newTown(t)
		w.put("logs", "refresh_interval=30s")
		l := newLoading(long(0, 20), long(20, 20), long(40, 20))
		l.letters = nil
		ctx, stop := context.WithCancel(t.Context())
		w.item = func(int, op) outcome {
			if how == "fails" {
				return outcome{404, "index_not_found_exception", "no such index"}
			}
			stop()
			return outcome{}
		}
		l.delay = 20 * time.Millisecond
		cfg := w.config(backfill)
		cfg.Bulk = 4 << 10
		res, err := l.runWith(ctx, t, l, cfg)
		stop()
		if res.Complete || (err != nil) != (how == "fails") {
			t.Errorf("%s: complete %v, %v", how, res.Complete, err)
		}
		if want := "number_of_replicas=1 refresh_interval=30s"; w.of("logs") != want {
			t.Errorf("%s: got settings %q, want %q", how, w.of("logs"), want)
		}
	}
}

// TestACrashAnywhereOfABackfillChangesNothing: crashes before and after each
// operation of the state and of the cluster.
func TestACrashAnywhereOfABackfillChangesNothing(t *testing.T) {
	play := func(at int, next func(*search.Config)) (ops int) {
		w := newTown(t)
		w.put("logs", "number_of_replicas=2")
		w.put("old")
		w.aliases["all"] = []string{"old"}
		l := newLoading(some(0, 3), append(some(3, 3), rec("other", "1", "{}")))
		l.letters = nil
		w.in(l, &pipelinetest.World{Mode: pipelinetest.Crash, At: at})
		change := func(cfg *search.Config) { cfg.Backfill, cfg.Alias = true, "all" }
		for run := 1; ; run++ {
			res, err := l.run(t, w.config(change))
			w.world.Restart()
			if res.Complete && err == nil {
				break
			}
			if run > 2 {
				t.Fatalf("at %d: the pass does not complete: %v", at, err)
			}
			change = next
		}
		if got, want := w.of("logs")+", "+w.of("other"), "number_of_replicas=2, number_of_replicas=1"; got != want {
			t.Errorf("at %d: got settings %q, want %q", at, got, want)
		}
		if got := slices.Sorted(slices.Values(w.aliases["all"])); !slices.Equal(got, []string{"logs", "other"}) {
			t.Errorf("at %d: the alias stands for %q", at, got)
		}
		if len(w.docs) != 7 {
			t.Errorf("at %d: got %d documents, want 7", at, len(w.docs))
		}
		return w.world.Ops()
	}
	same := func(cfg *search.Config) { cfg.Backfill, cfg.Alias = true, "all" }
	for at := range play(0, same) {
		play(at+1, same)
		play(at+1, func(cfg *search.Config) { cfg.Alias = "all" }) // the option is gone
	}
}

// killedLoad is a load that was killed while settings were changed.
func killedLoad(t *testing.T, was ...string) (*town, *loading) {
	t.Helper()
	w := newTown(t)
	w.put("logs", was...)
	l := newLoading(some(0, 3))
	w.in(l, &pipelinetest.World{Mode: pipelinetest.Crash})
	w.hook = func(what string) {
		if what == "bulk" {
			w.world.At = w.world.Ops() + 1
		}
	}
	if res, err := l.run(t, w.config(backfill)); err == nil || res.Complete || w.of("logs") != hushed {
		t.Fatalf("%v, settings %s, want a crash while they are changed", err, w.of("logs"))
	}
	w.world.Restart()
	w.hook = nil
	return w, l
}

func TestSettingsAreBackBeforeARunWithoutTheOptionWrites(t *testing.T) {
	w, l := killedLoad(t, "refresh_interval=30s")
	during := ""
	w.hook = func(what string) {
		if what == "bulk" {
			during = w.of("logs")
		}
	}
	l.complete(t, w.config(func(*search.Config) {}), 0)
	if want := "number_of_replicas=1 refresh_interval=30s"; during != want {
		t.Errorf("got settings %q while it was loaded, want %q", during, want)
	}
}

func TestWhatSomebodySetAfterAKillIsPutBackBesideTheRest(t *testing.T) {
	w, l := killedLoad(t, "refresh_interval=30s", "number_of_replicas=2")
	w.indices["logs"].settings["index.refresh_interval"] = "5s"
	l.complete(t, w.config(backfill), 0)
	if want := "number_of_replicas=2 refresh_interval=5s"; w.of("logs") != want {
		t.Errorf("got settings %q, want %q", w.of("logs"), want)
	}
}

func TestWhatSomebodySetsDuringTheLoadStays(t *testing.T) {
	w := newTown(t)
	w.put("logs", "refresh_interval=30s", "number_of_replicas=2")
	w.hook = func(what string) {
		if what == "bulk" {
			w.mu.Lock()
			w.indices["logs"].settings["index.refresh_interval"] = "5s"
			w.mu.Unlock()
		}
	}
	newLoading(some(0, 3)).complete(t, w.config(backfill), 0)
	if want := "number_of_replicas=2 refresh_interval=5s"; w.of("logs") != want {
		t.Errorf("got settings %q, want %q", w.of("logs"), want)
	}
}

func TestSettingsOfAnIndexThatIsGoneAreNotThoseOfAnotherOfItsName(t *testing.T) {
	for _, again := range []bool{true, false} {
		w := newTown(t)
		w.put("logs", "refresh_interval=30s")
		w.hook = func(what string) {
			if what == "bulk" {
				w.mu.Lock()
				delete(w.indices, "logs")
				if again {
					w.put("logs", "refresh_interval=-1")
				}
				w.mu.Unlock()
			}
		}
		newLoading(some(0, 3)).complete(t, w.config(backfill), 0)
		want := "number_of_replicas=1" // the engine makes it
		if again {
			want = "number_of_replicas=1 refresh_interval=-1"
		}
		if w.of("logs") != want {
			t.Errorf("got settings %q, want %q", w.of("logs"), want)
		}
	}
}

func TestWithModeNewTheFirstPassAloneIsABackfill(t *testing.T) {
	w := newTown(t)
	w.put("logs")
	cfg := w.config(func(cfg *search.Config) { cfg.Backfill, cfg.Alias = true, "all" })
	sink, err := cfg.Build(kind.Env{Workers: 1, MaxRecord: 1 << 20, New: true})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoading(some(0, 3))
	p := &pipeline.Pipeline{Name: "p", Log: l.log, Source: l, Sink: sink, Store: l.store, Lanes: 1, New: true, Grace: time.Second}
	for pass, want := range []int{5, 2} { // settings, bulk, settings, refresh, alias; then bulk, refresh
		if pass == 1 {
			l.blocks = append(l.blocks, some(3, 3))
		}
		w.trace = nil
		if res, err := p.Run(t.Context()); err != nil || !res.Complete {
			t.Fatalf("pass %d: %+v, %v", pass+1, res, err)
		}
		if len(w.trace) != want {
			t.Errorf("pass %d: got requests %q, want %d", pass+1, w.trace, want)
		}
	}
}

func TestTheAliasIsSwitchedInOneStepWhenAllIsThere(t *testing.T) {
	w := newTown(t)
	w.put("old")
	w.put("both")
	w.aliases["all"] = []string{"old", "both"}
	w.health = []string{"yellow"}
	l := newLoading([]string{rec("new", "1", "{}"), rec("both", "2", "{}")})
	set := func(cfg *search.Config) { cfg.Alias, cfg.WaitForGreen = "all", unit.Duration(20*time.Second) }
	w.hook = func(what string) {
		if strings.HasPrefix(what, "POST _aliases") && len(w.health) > 0 {
			t.Error("the alias is switched before the index is green")
		}
	}
	l.complete(t, w.config(set), 0)
	want := `POST _aliases {"actions":[{"remove":{"index":"old","alias":"all"}},{"add":{"index":"new","alias":"all"}}]}`
	if got := w.trace[len(w.trace)-1]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.blocks = nil // a pass that writes nothing
	l.complete(t, w.config(set), 0)
	if got := slices.Sorted(slices.Values(w.aliases["all"])); !slices.Equal(got, []string{"both", "new"}) {
		t.Errorf("after a pass without records the alias stands for %q", got)
	}
}

func TestAnIndexThatDoesNotBecomeGreenIsAnErrorAndTheNextRunGoesOn(t *testing.T) {
	w := newTown(t)
	w.health = []string{"red", "yellow", "yellow"}
	l := newLoading(some(0, 3))
	l.letters = nil
	set := func(cfg *search.Config) { cfg.Alias, cfg.WaitForGreen = "all", unit.Duration(10*time.Millisecond) }
	l.fails(t, w.config(set), "finish: index logs is red after 10ms", "wait_for_green")
	if len(w.aliases["all"]) != 0 {
		t.Errorf("the alias stands for %q", w.aliases["all"])
	}
	w.health = nil
	l.complete(t, w.config(set), 0)
	if l.read != 1 || !slices.Equal(w.aliases["all"], []string{"logs"}) {
		t.Errorf("%d blocks read and the alias stands for %q, want one, and logs", l.read, w.aliases["all"])
	}
}

func TestAnAliasThatCannotBeIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	w := newTown(t)
	w.put("all")
	l := newLoading(some(0, 3))
	l.letters = nil
	l.fails(t, w.config(func(cfg *search.Config) { cfg.Alias = "all" }), "sink: open: alias all: an index has that name")
	l.fails(t, w.config(func(cfg *search.Config) { cfg.Alias = "logs" }), "records name logs, the alias that is to be switched")
	if len(w.docs) != 0 {
		t.Errorf("got documents %v", w.docs)
	}
}

func metadata(cfg *search.Config) { cfg.Create.Metadata = true }

// TestAnIndexIsMadeOfItsDocumentBeforeItsFirstRecord: two lanes wait for the
// document, which comes late, as an object and as a block.
func TestAnIndexIsMadeOfItsDocumentBeforeItsFirstRecord(t *testing.T) {
	object := bodies("dump/logs/_index.json", `{"settings": {"index.codec":"best_compression"}, "mappings": {"x": 1.0}}`)
	for name, object := range map[string]map[string]pipeline.Body{"object": object, "block": nil} {
		w := newTown(t)
		w.put("there")
		d := &describing{loading: newLoading(append(some(0, 3), rec("there", "1", "{}"))), slow: 50 * time.Millisecond, twice: true,
			keys: []string{"dump/.system/_index.json", "dump/empty/_index.json", "dump/logs/_index.json", "dump/there/_index.json", "dump/x/_ingest_pipeline.json"}, bodies: object}
		res, err := d.runWith(t.Context(), t, d, w.config(metadata))
		if err != nil || !res.Complete || res.Counts.Written != 8 {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		want := []string{
			`PUT empty {"aliases":{"a":{}},"mappings":{"_meta":{"of":"dump/empty/_index.json"}}}`,
			`PUT logs {"aliases":{"a":{}},"mappings":{"_meta":{"of":"dump/logs/_index.json"}}}`, "bulk", "POST logs/_refresh", "POST there/_refresh",
		}
		if object != nil {
			want[1] = `PUT logs {"mappings":{"x":1.0},"settings":{"index.codec":"best_compression"}}`
		}
		if diff := cmp.Diff(want, w.trace); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnIndexUnderAnotherNameIsMadeWithoutAliases(t *testing.T) {
	for name, change := range map[string]func(*search.Config){
		"copy": func(cfg *search.Config) { cfg.Create.Metadata, cfg.Index = true, "copy" },
		"logs": func(cfg *search.Config) { cfg.Create.Metadata, cfg.Alias = true, "b" },
	} {
		w := newTown(t)
		d := &describing{loading: newLoading(some(0, 3)), keys: []string{"logs/_index.json"}}
		if res, err := d.runWith(t.Context(), t, d, w.config(change)); err != nil || !res.Complete {
			t.Fatalf("%+v, %v", res, err)
		}
		if want := `{"mappings":{"_meta":{"of":"logs/_index.json"}}}`; w.indices[name].body != want {
			t.Errorf("%s is made of %s, want %s", name, w.indices[name].body, want)
		}
	}
}

func TestAnIndexWithoutADocumentIsAnErrorAndNotMadeByTheEngine(t *testing.T) {
	why := errors.New("cut off")
	for _, c := range []struct {
		keys    []string
		failure error
		want    string
	}{
		{[]string{"other/_index.json"}, nil, "index logs: it does not exist, and the pass has no logs/_index.json to make it from"},
		{nil, why, "index logs: its metadata was not read: source: lane _metadata: cut off"},
	} {
		w := newTown(t)
		d := &describing{loading: newLoading(some(0, 3)), keys: c.keys, failure: c.failure}
		res, err := d.runWith(t.Context(), t, d, w.config(metadata))
		if err == nil || res.Complete || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
		if len(w.docs) > 0 || w.indices["logs"] != nil {
			t.Error("it was written to")
		}
	}
}

func TestAStopWhileARecordWaitsForItsIndexIsNoFailure(t *testing.T) {
	w := newTown(t)
	d := &describing{loading: newLoading(some(0, 3)), keys: []string{"logs/_index.json"}, slow: time.Hour}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if res, err := d.runWith(ctx, t, d, w.config(metadata)); err != nil || res.Complete {
		t.Fatalf("%+v, %v, want a run that was stopped", res, err)
	}
	d.slow = 0
	if res, err := d.runWith(t.Context(), t, d, w.config(metadata)); err != nil || !res.Complete || len(w.docs) != 3 {
		t.Fatalf("%+v, %v, %d documents", res, err, len(w.docs))
	}
}

func TestARunThatGoesOnHasTheMetadataOfTheOneBefore(t *testing.T) {
	w := newTown(t)
	d := &describing{loading: newLoading(some(0, 3), some(3, 3)), keys: []string{"logs/_index.json"}}
	broken := true
	w.item = func(int, op) outcome {
		if broken {
			return outcome{403, "security_exception", "no"}
		}
		return outcome{}
	}
	if _, err := d.runWith(t.Context(), t, d, w.config(metadata)); err == nil {
		t.Fatal("the first run does not fail")
	}
	broken = false
	delete(w.indices, "logs") // by somebody
	if _, err := d.runWith(t.Context(), t, d, w.config(metadata)); err == nil || !strings.Contains(err.Error(), "no logs/_index.json") {
		t.Errorf("got %v, want an error: the lane of metadata has ended", err)
	}
	w.put("logs")
	if res, err := d.runWith(t.Context(), t, d, w.config(metadata)); err != nil || !res.Complete {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestIndicesAreMadeOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.json")
	from := func(cfg *search.Config) { cfg.Create.File = file }
	for text, want := range map[string]string{
		`{"settings": {"number_of_shards": 3}}`:  "",
		`{"settings": `:                          "create: " + file + ": this is not the JSON of an index",
		`{"logs": {"settings": {}}}`:             `there is "logs" in it`,
		`{"mappings": {"n": 9007199254740993 }}`: "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := newTown(t)
		l := newLoading(some(0, 3))
		if want != "" {
			l.letters = nil
			l.fails(t, w.config(from), want)
			continue
		}
		l.complete(t, w.config(from), 0)
		if got, want := w.trace[0], "PUT logs "+strings.ReplaceAll(text, " ", ""); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOptionsAroundTheLoadAreChecked(t *testing.T) {
	for option, change := range map[string]func(*search.Config){
		"alias":  func(cfg *search.Config) { cfg.Alias = "a*" },
		"alias ": func(cfg *search.Config) { cfg.Alias, cfg.Index = "logs", "logs" },
		"":       func(cfg *search.Config) { cfg.Alias, cfg.Index, cfg.Create.Metadata = "a", "logs", true },
	} {
		cfg := config("http://127.0.0.1:1")
		change(cfg)
		var got []string
		for _, p := range cfg.Problems(kind.Env{}) {
			got = append(got, p.Option)
		}
		if fmt.Sprint(got) != fmt.Sprintf("[%s]", strings.TrimSpace(option)) {
			t.Errorf("got problems of %q, want one of %q", got, option)
		}
		if p := cfg.Takes(kind.Metadata); (p == nil) != cfg.Create.Metadata {
			t.Errorf("%q: it takes metadata: %v", option, p == nil)
		}
	}
}
