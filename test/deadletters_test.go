package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/crash"
)

// says runs a command that writes to standard output, and wants exit status 0.
func (j *job) says(t *testing.T, args ...string) string {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = j.dir, &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, messages.String())
	}
	return out.String()
}

// records is NDJSON of documents 0 to n-1, with a number each.
func records(index string, n int) (b []byte) {
	for i := range n {
		b = fmt.Appendf(b, `{"_index":%q,"_id":"%d","_source":{"n":%d}}`+"\n", index, i, i)
	}
	return b
}

// newLetters is a job whose pipeline load has loaded documents 0 to 299 of which
// the mapping refuses those from 128 on, and cured makes the mapping take them.
func newLetters(t *testing.T, place string) (j *job, c cluster, to string, cured func()) {
	t.Helper()
	c, to = openSearch(t), unique(t)
	c.index(t, to, 1, `{"dynamic":false,"properties":{"n":{"type":"byte","coerce":false}}}`)
	j = newJob(t, pipelines(entry("load", stage("file", "path: ./in"), "[{lines: {}}]", searchStage(c.url, to, "bulk: 64KiB"), "dead_letters: "+place)))
	if err := os.MkdirAll(filepath.Join(j.dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.dir, "in", "a.ndjson"), records(to, 300), 0o644); err != nil {
		t.Fatal(err)
	}
	j.want(t, 3, "load")
	return j, c, to, func() {
		c.call(t, "PUT", "/"+to+"/_mapping", `{"properties":{"n":{"type":"byte","coerce":false,"ignore_malformed":true}}}`)
	}
}

// replay replays the letters of load and wants an exit status.
func (j *job) replay(t *testing.T, status int, args ...string) outcome {
	t.Helper()
	o := j.start(t, append([]string{"dead-letters", "replay", "load"}, args...)...).wait(t)
	if o.Status != status {
		t.Fatalf("exit status %d, want %d\n%s", o.Status, status, o.Stderr)
	}
	return o
}

// lists wants the list of letters to end with a line that begins so.
func (j *job) lists(t *testing.T, want string) {
	t.Helper()
	list := j.says(t, "dead-letters", "list", "load")
	if !strings.Contains("\n"+list, "\n"+want) {
		t.Errorf("got\n%s\nwant %q", list, want)
	}
}

func TestDeadLettersAreReplayedOnceTheMappingTakesThem(t *testing.T) {
	for name, place := range map[string]func(t *testing.T) string{
		"file": func(*testing.T) string { return "{file: {path: ./dead}}" },
		"s3":   func(t *testing.T) string { b := newBucket(t); return b.stage(b.store.Endpoint, "prefix: dead/") },
		"search": func(t *testing.T) string {
			c, index := openSearch(t), unique(t)+"-dead"
			t.Cleanup(func() { c.ask(t, "DELETE", "/"+index, "") })
			return fmt.Sprintf("{search: {url: %q, index: %q}}", c.url, index)
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, c, to, cured := newLetters(t, place(t))
			j.lists(t, "172 dead letters of load")
			j.lists(t, "     172  sink: 400 ")
			if o := j.replay(t, 3); o.Reports["load"].Records.Dead != 172 {
				t.Errorf("got %+v, want all refused again", o.Reports)
			}
			j.lists(t, "172 dead letters of load")
			cured()
			if o := j.replay(t, 0, "--limit", "70"); o.Reports["load"].Records.Written != 70 {
				t.Errorf("got %+v, want 70 written", o.Reports)
			}
			j.lists(t, "102 dead letters of load")
			if o := j.replay(t, 0); o.Reports["load"].Records.Written != 102 {
				t.Errorf("got %+v, want 102 written", o.Reports)
			}
			j.lists(t, "0 dead letters of load")
			if n := c.count(t, to); n != 300 {
				t.Errorf("got %d documents, want 300", n)
			}
		})
	}
}

func TestAReplayIsEdited(t *testing.T) {
	j, c, to, _ := newLetters(t, "{file: {path: ./dead}}")
	o := j.replay(t, 3, "--where", ".record._source.n < 200", "--edit", `if ._source.n == 199 then . else ._source.n = 1 end`)
	if r := o.Reports["load"].Records; r.Read != 72 || r.Written != 71 || r.Dead != 1 {
		t.Errorf("got %+v, want 71 of 72 written", r)
	}
	if o := j.replay(t, 0, "--edit", "empty"); o.Reports["load"].Records.Filtered != 101 {
		t.Errorf("got %+v, want the rest dropped", o.Reports)
	}
	j.lists(t, "0 dead letters of load")
	if n := c.count(t, to); n != 128+71 {
		t.Errorf("got %d documents, want %d", n, 128+71)
	}
}

func TestAReplayKeepsNewerDocuments(t *testing.T) {
	j, c, to, cured := newLetters(t, "{file: {path: ./dead}}")
	cured()
	c.call(t, "PUT", "/"+to+"/_doc/200", `{"n":5,"newer":true}`)
	c.call(t, "PUT", "/"+to+"/_doc/201", `{ "n": 201 }`)
	j.replay(t, 3)
	j.lists(t, "       1  sink: 409 version_conflict_engine_exception")
	if got := string(c.call(t, "GET", "/"+to+"/_source/200", "")); got != `{"n":5,"newer":true}` {
		t.Errorf("got %s, want the newer document", got)
	}
	j.replay(t, 3)
	j.replay(t, 0, "--replace")
	if got := string(c.call(t, "GET", "/"+to+"/_source/200", "")); got != `{"n":200}` {
		t.Errorf("got %s, want the one of the letter", got)
	}
}

func TestAReplayThatWasKilledIsGoneOnWith(t *testing.T) {
	for _, point := range []string{crash.AfterBulkReply, crash.AfterDeadLetter, crash.BeforeSave, crash.InSave, crash.AfterSave} {
		t.Run(point, func(t *testing.T) {
			j, c, to, cured := newLetters(t, "{file: {path: ./dead}}")
			kill := func(hit int) {
				j.env = []string{fmt.Sprintf("SLUICE_CRASH=%s:%d", point, hit)}
				defer func() { j.env = nil }()
				if o := j.start(t, "dead-letters", "replay", "load").wait(t); o.Status >= 0 {
					t.Errorf("exit status %d, want it killed", o.Status)
				}
			}
			kill(1)
			j.lists(t, "172 dead letters of load")
			if point == crash.AfterDeadLetter {
				j.replay(t, 3)
			}
			cured()
			if point != crash.AfterDeadLetter {
				kill(1)
			}
			j.replay(t, 0)
			j.lists(t, "0 dead letters of load")
			if n := c.count(t, to); n != 300 {
				t.Errorf("got %d documents, want 300", n)
			}
		})
	}
}

func TestABreakerEndsALoadThatWouldBuryEverything(t *testing.T) {
	c, to := openSearch(t), unique(t)
	c.index(t, to, 1, `{"dynamic":false,"properties":{"n":{"type":"byte","coerce":false}}}`)
	j := newJob(t, pipelines(entry("load", stage("file", "path: ./in"), "[{lines: {}}]", searchStage(c.url, to, "bulk: 64KiB"), "dead_letters: {file: {path: ./dead}, max_ratio: 10%}", "lanes: 1")))
	os.MkdirAll(filepath.Join(j.dir, "in"), 0o755)
	if err := os.WriteFile(filepath.Join(j.dir, "in", "a.ndjson"), records(to, 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	o := j.want(t, 1, "load")
	o.says(t, "dead letters: too many: ", "more than max_ratio (10%) allows; the most frequent reason (", "mapper_parsing_exception")
	j.want(t, 1, "load") // and again: nothing of it was passed
}
