package search_test

import (
	"context"
	"fmt"
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
	w.aliased = map[string]string{"logs": "logs-1"}
	l.fails(t, w.config(func(cfg *search.Config) { cfg.Alias = "b" }), "index logs: it is an alias, which no other alias can stand for")
	if len(w.docs) != 0 {
		t.Errorf("got documents %v", w.docs)
	}
}

// TestAnIndexThatCannotBeIsLeftToTheEngine: it refuses each record, and what is
// around the load has nothing to do.
func TestAnIndexThatCannotBeIsLeftToTheEngine(t *testing.T) {
	w := newTown(t)
	w.put("old")
	w.aliases["all"] = []string{"old"}
	w.item = func(_ int, o op) outcome {
		if o.Index == "Logs" {
			return outcome{400, "invalid_index_name_exception", "must be lowercase"}
		}
		return outcome{}
	}
	l := newLoading(append(some(0, 3), rec("Logs", "1", "{}")))
	l.complete(t, w.config(func(cfg *search.Config) {
		cfg.Backfill, cfg.Alias, cfg.WaitForGreen = true, "all", unit.Duration(time.Second)
	}), 1)
	if !slices.Equal(w.aliases["all"], []string{"logs"}) || w.indices["Logs"] != nil {
		t.Errorf("the alias stands for %q", w.aliases["all"])
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
