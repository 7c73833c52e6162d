package search_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/kind"
	"sluice/sinks/search"
)

var _ kind.Lister = (*search.Config)(nil)

// listed gives what the target of an index holds: versions by "_id routing".
func listed(t *testing.T, cfg *search.Config, index string) (map[string]int64, error) {
	t.Helper()
	got := map[string]int64{}
	err := cfg.List(t.Context(), index, func(id, routing []byte, version int64) error {
		got[fmt.Sprintf("%s %s", id, routing)] = version
		return nil
	})
	return got, err
}

func TestTheTargetOfAnIndexIsTheOptionOrTheSame(t *testing.T) {
	cfg := config("http://host:9200")
	if got := cfg.Target("logs"); got != "logs" {
		t.Errorf("got %s, want logs", got)
	}
	cfg.Index = "other"
	if got := cfg.Target("logs"); got != "other" {
		t.Errorf("got %s, want other", got)
	}
}

func TestWithCreateNothingIsListed(t *testing.T) {
	cfg := config("http://host:9200")
	cfg.Action = "create"
	if got, err := listed(t, cfg, "logs"); err == nil || !strings.Contains(err.Error(), "action create") {
		t.Errorf("got %v, %v, want an error", got, err)
	}
}

// What was written and what is listed are the same, and what is listed can be
// deleted as it is.
func TestARealTargetIsListedAndEmptied(t *testing.T) {
	r := newReal(t)
	cfg := r.config(r.url)
	if got, err := listed(t, cfg, "logs"); err != nil || len(got) != 0 {
		t.Errorf("no index: got %v, %v, want nothing", got, err)
	}
	r.must("PUT", "/"+r.index, `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`)
	if got, err := listed(t, cfg, "logs"); err != nil || len(got) != 0 {
		t.Errorf("an empty index: got %v, %v, want nothing", got, err)
	}
	block, want := []string{rec("logs", "plain", `{}`)}, map[string]int64{"plain ": 1}
	for n := range int64(100) {
		line := ver(fmt.Sprintf("v %d", n), 1<<44+n)
		name := fmt.Sprintf("v %d ", n)
		if n%4 == 0 {
			line = strings.Replace(line, `"_source"`, `"_routing":"r \"é","_source"`, 1)
			name += `r "é`
		}
		block, want[name] = append(block, line), 1<<44+n
	}
	newLoading(block).complete(t, cfg, 0)
	got, err := listed(t, cfg, "whatever")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	var deletes [][]string
	for name, version := range maps.All(got) {
		id, routing, _ := cutLast(name)
		deletes = append(deletes, routed(del(id, fmt.Sprint(version)), routing))
	}
	newLoading(deletes...).complete(t, cfg, 0)
	r.expect(nil)
	enough := errors.New("enough")
	newLoading(block).complete(t, cfg, 0)
	if err := cfg.List(t.Context(), "logs", func([]byte, []byte, int64) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the error of the caller", err)
	}
}

// cutLast takes a name of listed apart: its _id has digits behind its blank.
func cutLast(name string) (id, routing string, ok bool) {
	if rest, ok := strings.CutPrefix(name, "v "); ok {
		id, routing, ok := strings.Cut(rest, " ")
		return "v " + id, routing, ok
	}
	return strings.Cut(name, " ")
}

func TestATargetOfSeveralIndicesIsAnError(t *testing.T) {
	r, other := newReal(t), newReal(t)
	r.must("PUT", "/"+r.index, "")
	r.must("PUT", "/"+other.index, "")
	alias := "alias-" + r.index
	r.must("POST", "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q}}]}`, r.index, alias))
	cfg := r.config(r.url)
	cfg.Index = alias
	newLoading([]string{ver("x", 7)}).complete(t, cfg, 0)
	if got, err := listed(t, cfg, "logs"); err != nil || len(got) != 1 {
		t.Errorf("an alias of one index: got %v, %v, want one document", got, err)
	}
	r.must("POST", "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q}}]}`, other.index, alias))
	if got, err := listed(t, cfg, "logs"); err == nil || !strings.Contains(err.Error(), "stands for 2 indices") {
		t.Errorf("an alias of two indices: got %v, %v, want an error", got, err)
	}
}
