package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sluice/internal/crash"
)

// held gives the settings of an index that a backfill changes, and the indices
// that an alias stands for.
func (c cluster) held(t *testing.T, index, alias string) string {
	t.Helper()
	var all map[string]struct{ Settings map[string]string }
	if err := json.Unmarshal(c.call(t, "GET", "/"+index+"/_settings?flat_settings=true", ""), &all); err != nil {
		t.Fatal(err)
	}
	of := all[index].Settings
	text := "replicas " + of["index.number_of_replicas"]
	if refresh, ok := of["index.refresh_interval"]; ok {
		text += ", refresh " + refresh
	}
	var holds map[string]any
	if status, b := c.ask(t, "GET", "/_alias/"+alias, ""); status == 200 {
		json.Unmarshal(b, &holds)
	}
	return text + fmt.Sprint(", alias of ", slices.Sorted(maps.Keys(holds)))
}

// TestABackfillThatIsKilledAnywhereLeavesTheOriginalSettings: after the next run
// the settings, the alias and the documents are those of an undisturbed one.
func TestABackfillThatIsKilledAnywhereLeavesTheOriginalSettings(t *testing.T) {
	long(t)
	c, b := anyEngine(t), newBucket(t)
	index := unique(t)
	c.call(t, "PUT", "/"+index, `{"settings":{"number_of_shards":2},"mappings":{"dynamic":false}}`)
	t.Cleanup(func() { c.ask(t, "DELETE", "/"+index, "") })
	c.put(t, index, generated(3000, 500))
	want := c.documents(t, index)
	source := searchStage(c.url, index, "take: [data, indices]")
	newJob(t, pipelines(dump("dump", source, b.stage(b.store.Endpoint, `key: "{index}/{lane}-{sequence}.gz"`, "roll: {bytes: 40KiB}")))).want(t, 0, "dump")
	points := append(slices.Clone(crash.Around), crash.AfterBulkReply)
	for n := range points {
		points[n] += ":1"
	}
	for _, point := range []string{crash.BeforeSave, crash.InSave, crash.AfterSave} {
		points = append(points, point+":1", point+":2")
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			to := fmt.Sprintf("%s-%s", index, strings.Replace(point, ":", "-", 1))
			alias := to + "-all"
			t.Cleanup(func() { c.ask(t, "DELETE", "/"+to, "") })
			j := newJob(t, pipelines(load("load", b.stage(b.store.Endpoint),
				searchStage(c.url, to, "bulk: 64KiB", "create: {metadata: true}", "backfill: true", "alias: "+alias))))
			j.env = []string{"SLUICE_CRASH=" + point}
			if o := j.run(t, "load"); o.Status >= 0 {
				t.Fatalf("%s was not reached: exit status %d\n%s", point, o.Status, o.Stderr)
			}
			j.env = nil
			if point == crash.AfterSettings+":1" && !strings.HasPrefix(c.held(t, to, alias), "replicas 0, refresh -1") {
				t.Errorf("got %s when it was killed, want a change", c.held(t, to, alias))
			}
			if o := j.want(t, 0, "load"); o.Reports["load"].Outcome != "complete" || o.Reports["load"].Records.Written != 3000 {
				t.Errorf("got %+v, want it complete", o.Reports["load"])
			}
			if got, want := c.held(t, to, alias), fmt.Sprintf("replicas 1, alias of [%s]", to); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			same(t, "index", c.documents(t, to), want)
		})
	}
}

// TestAResetSaysWhatNothingPutsBack: the state alone knew it.
func TestAResetSaysWhatNothingPutsBack(t *testing.T) {
	c, index := anyEngine(t), unique(t)
	t.Cleanup(func() { c.ask(t, "DELETE", "/"+index, "") })
	j := newJob(t, pipelines(entry("load", stage("generate", "records: 10"), "[]", searchStage(c.url, index, "backfill: true"))))
	j.env = []string{"SLUICE_CRASH=" + crash.AfterSettings + ":1"}
	if o := j.run(t, "load"); o.Status >= 0 {
		t.Fatalf("it was not killed: %+v", o)
	}
	reset := exec.CommandContext(t.Context(), program, "checkpoint", "reset", "--yes", "load")
	reset.Dir = j.dir
	out, err := reset.CombinedOutput()
	if want := index + " was changed for a load, and no run puts it back now; it was "; err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), `"index.number_of_replicas":"1","index.refresh_interval":null`) {
		t.Errorf("got %s, %v, want %q", out, err, want)
	}
}

// TestAnIndexGoesToAnotherNameWithItsMetadata: without a bucket between.
func TestAnIndexGoesToAnotherNameWithItsMetadata(t *testing.T) {
	c := anyEngine(t)
	index, to := unique(t), unique(t)+"-to"
	c.index(t, index, 3, `{"properties":{"message":{"type":"keyword","ignore_above":77}},"dynamic":true}`)
	c.put(t, index, generated(300, 300))
	t.Cleanup(func() { c.ask(t, "DELETE", "/"+to, "") })
	pair := func(take string) string {
		return pipelines(entry("p", searchStage(c.url, index, take), "[]", searchStage(c.url, to, "create: {metadata: true}")))
	}
	newJob(t, pair("take: data")).want(t, 2, "p").says(t, "take: the sink makes indices of metadata: add indices")
	newJob(t, pair("take: [data, indices]")).want(t, 0, "p")
	if got, want := c.described(t, to), strings.ReplaceAll(c.described(t, index), index, to); got != want {
		t.Errorf("got index\n%s\nwant\n%s", got, want)
	}
	same(t, "index", c.documents(t, to), c.documents(t, index))
	c.call(t, "DELETE", "/"+to, "")
	newJob(t, pair("take: indices")).want(t, 0, "p")
	if n := c.count(t, to); n != 0 {
		t.Errorf("got %d documents without data, want an empty index", n)
	}
}
