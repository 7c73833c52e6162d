package search_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/sinks/search"
)

// settings gives those of an index that a backfill changes.
func (r *real) settings(index string) string {
	r.t.Helper()
	var reply map[string]struct{ Settings map[string]string }
	if err := json.Unmarshal([]byte(r.must("GET", "/"+index+"/_settings?flat_settings=true", "")), &reply); err != nil {
		r.t.Fatal(err)
	}
	list := []string{}
	for _, i := range reply {
		for _, name := range []string{"number_of_replicas", "refresh_interval"} {
			if value, ok := i.Settings["index."+name]; ok {
				list = append(list, name+"="+value)
			}
		}
	}
	return strings.Join(list, " ")
}

// watched is a load during which somebody looks at settings.
func (r *real) watched(t *testing.T, cfg *search.Config, index string) (during string) {
	t.Helper()
	l := newLoading(long(0, 300), long(300, 300))
	l.delay = 100 * time.Millisecond
	l.letters = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			if status, reply := r.call("GET", "/"+index+"/_settings?flat_settings=true", ""); status == 200 && strings.Contains(reply, `"index.refresh_interval":"-1"`) && strings.Contains(reply, `"index.number_of_replicas":"0"`) {
				during = "changed"
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	l.complete(t, cfg, 0)
	<-done
	return during
}

func TestOnARealEngineABackfillChangesSettingsAndTheAliasIsSwitched(t *testing.T) {
	r := newReal(t)
	old, alias := r.index+"-old", r.index+"-all"
	t.Cleanup(func() { r.call("DELETE", "/"+old, "") })
	r.must("PUT", "/"+old, `{"aliases":{"`+alias+`":{}}}`)
	set := func(cfg *search.Config) *search.Config {
		cfg.Backfill, cfg.Alias = true, alias
		return cfg
	}
	if r.watched(t, set(r.config(r.url)), r.index) == "" {
		t.Error("the settings were not seen changed")
	}
	if got, want := r.settings(r.index), "number_of_replicas=1"; got != want {
		t.Errorf("got settings %q of an index that the load made, want %q", got, want)
	}
	var holds map[string]any
	json.Unmarshal([]byte(r.must("GET", "/_alias/"+alias, "")), &holds)
	if len(holds) != 1 || holds[r.index] == nil {
		t.Errorf("the alias stands for %v, want %s", holds, r.index)
	}
	r.must("PUT", "/"+r.index+"/_settings", `{"index":{"refresh_interval":"7s","number_of_replicas":0}}`)
	cfg := set(r.config(r.url))
	cfg.WaitForGreen = unit.Duration(30 * time.Second)
	newLoading(long(0, 300)).complete(t, cfg, 0)
	if got, want := r.settings(r.index), "number_of_replicas=0 refresh_interval=7s"; got != want {
		t.Errorf("got settings %q, want %q", got, want)
	}
	r.must("PUT", "/"+r.index+"/_settings", `{"index":{"number_of_replicas":9}}`)
	cfg.WaitForGreen = unit.Duration(10 * time.Millisecond)
	l := newLoading(long(0, 3))
	l.letters = nil
	l.fails(t, cfg, "is yellow after 10ms, with 9 copies of shards that no node has")
	if got, want := r.settings(r.index), "number_of_replicas=9 refresh_interval=7s"; got != want {
		t.Errorf("got settings %q, want %q", got, want)
	}
}

func TestOnARealEngineAnIndexIsMadeOfADocument(t *testing.T) {
	r := newReal(t)
	document := `{"settings":{"index.refresh_interval":"9s","index.number_of_replicas":"0"},"mappings":{"properties":{"text":{"type":"keyword","ignore_above":7}}},"aliases":{"a":{}}}`
	d := &describing{loading: newLoading(long(0, 30)), keys: []string{"logs/_index.json"}, slow: 300 * time.Millisecond}
	d.bodies = bodies("logs/_index.json", document)
	cfg := r.config(r.url)
	cfg.Backfill, cfg.Create.Metadata = true, true
	res, err := d.runWith(t.Context(), t, d, cfg)
	if err != nil || !res.Complete || res.Counts.Written != 30 {
		t.Fatalf("%+v, %v", res, err)
	}
	if got, want := r.settings(r.index), "number_of_replicas=0 refresh_interval=9s"; got != want {
		t.Errorf("got settings %q, want %q", got, want)
	}
	if got := r.must("GET", "/"+r.index, ""); !strings.Contains(got, `"ignore_above":7`) || !strings.Contains(got, `"aliases":{}`) {
		t.Errorf("got index %s", got)
	}
}

// TestOnARealEngineABackfillOfADataStream: the one that the first record makes
// keeps its settings, the next load changes those of its index.
func TestOnARealEngineABackfillOfADataStream(t *testing.T) {
	r := newReal(t)
	template := fmt.Sprintf(`{"index_patterns":["%s*"],"data_stream":{},"priority":500,"template":{"settings":{"number_of_replicas":1}}}`, r.index)
	if status, reply := r.call("PUT", "/_index_template/"+r.index, template); status != 200 {
		t.Skipf("the engine has no data streams: %d %s", status, reply)
	}
	t.Cleanup(func() {
		r.call("DELETE", "/_data_stream/"+r.index, "")
		r.call("DELETE", "/_index_template/"+r.index, "")
	})
	if status, reply := r.call("GET", "/_data_stream/"+r.index+"*", ""); status != 200 {
		t.Skipf("the engine has no data streams: %d %s", status, reply)
	}
	cfg := r.config(r.url)
	cfg.Backfill, cfg.Action = true, "create"
	for n := range 2 {
		l := newLoading([]string{rec("logs", fmt.Sprint(n), `{"@timestamp":"2026-01-02T03:04:05Z"}`)})
		l.complete(t, cfg, 0)
		if got, want := r.settings(r.index), "number_of_replicas=1"; got != want {
			t.Errorf("got settings %q, want %q", got, want)
		}
	}
	if got := r.lines(); len(got) != 2 {
		t.Errorf("got %d documents, want 2", len(got))
	}
}

func TestCheckSaysWhatHappensAroundTheLoad(t *testing.T) {
	r := newReal(t)
	check := func(change func(*search.Config)) (string, error) {
		cfg := r.config(r.url)
		change(cfg)
		s, err := cfg.Build(kind.Env{})
		if err != nil {
			t.Fatal(err)
		}
		var rep check.Report
		err = s.(*search.Sink).Check(t.Context(), &rep)
		return strings.Join(rep.Lines(), "\n"), err
	}
	got, err := check(func(cfg *search.Config) { cfg.Backfill, cfg.Alias, cfg.Create.Metadata = true, r.index+"-all", true })
	for _, want := range []string{"refresh_interval -1", "alias " + r.index + "-all will stand for", "does not exist: it is made of its _index.json"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("got %s, %v, want %q", got, err, want)
		}
	}
	r.must("PUT", "/"+r.index, "")
	if got, err := check(func(cfg *search.Config) { cfg.Index, cfg.Alias = "", r.index }); err == nil || !strings.Contains(err.Error(), "an index has that name") {
		t.Errorf("got %s, %v, want an error", got, err)
	}
	if got, err := check(func(cfg *search.Config) { cfg.Create.File = "/none" }); err == nil || !strings.Contains(err.Error(), "create: ") {
		t.Errorf("got %s, %v, want an error", got, err)
	}
}
