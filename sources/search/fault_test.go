package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/test/faultproxy"
)

// replace changes the first occurrence of a text in a reply.
func replace(old, by string) func(*http.Response) {
	return func(r *http.Response) {
		b, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Contains(b, []byte(old)) {
			b = []byte("the test found nothing to replace")
		}
		b = bytes.Replace(b, []byte(old), []byte(by), 1)
		r.Body = io.NopCloser(bytes.NewReader(b))
		r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	}
}

// early lets a reply end early, whatever it says of that itself.
func early(r *http.Response) {
	b, _ := io.ReadAll(r.Body)
	b = bytes.Replace(b, []byte(`,"terminated_early":false`), nil, 1)
	r.Body = io.NopCloser(bytes.NewReader(b))
	replace(`"timed_out":false`, `"timed_out":false,"terminated_early":true`)(r)
}

const whole = `"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}`

// fault is what happens to a page, and what the error says if it stays.
type fault struct {
	name string
	rule *faultproxy.Rule
	says string
}

func faults() []fault {
	return []fault{
		{"504", &faultproxy.Rule{Status: 504}, "504"},
		{"late 504", &faultproxy.Rule{Status: 504, Late: true}, "504"},
		{"500", &faultproxy.Rule{Status: 500, Body: `{"error":{"type":"search_phase_execution_exception","reason":"Partial shards failure"},"status":500}`}, "Partial shards failure"},
		{"overload", &faultproxy.Rule{Status: 429, Body: `{"error":{"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}`}, "circuit_breaking_exception: Data too large"},
		{"lost reply", &faultproxy.Rule{Cut: true, Late: true}, "EOF"},
		{"cut mid-hit", &faultproxy.Rule{CutAfter: 5000}, "unexpected EOF"},
		{"timed out", &faultproxy.Rule{Edit: replace(`"timed_out":false`, `"timed_out":true`)}, "timed_out"},
		{"terminated early", &faultproxy.Rule{Edit: early}, "terminated_early"},
		{"shard failed", &faultproxy.Rule{Edit: replace(whole, `"_shards":{"total":1,"successful":0,"failed":1,"failures":[{"reason":{"type":"x_exception","reason":"y"}}]}`)}, "1 of 1 failed: x_exception: y"},
		{"shard missing", &faultproxy.Rule{Edit: replace(whole, `"_shards":{"total":1,"successful":0,"skipped":0,"failed":0}`)}, "0 of 1 answered"},
		{"no shard", &faultproxy.Rule{Edit: replace(whole, `"_shards":{"total":0,"successful":0,"skipped":0,"failed":0}`)}, "0 of 0 answered"},
		{"no shards told", &faultproxy.Rule{Edit: replace(whole, `"_s":1`)}, "unexpected order"},
		{"noise", &faultproxy.Rule{Edit: replace(`"hits":[{`, `"hits":[[{`)}, "malformed reply"},
		{"a proxy's page", &faultproxy.Rule{Status: 200, Body: `<html>`}, "malformed reply"},
	}
}

// resumable is the ways in which a page can be asked for again.
func resumable(t *testing.T) []string {
	return slices.DeleteFunc(ways(t), func(w string) bool { return w == "scroll" })
}

func TestAPageThatFailsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for _, read := range resumable(t) {
		p := faultproxy.New(t, i.url)
		all := p.Add(&faultproxy.Rule{Match: isPage, Times: -1})
		c := config(p.URL, i)
		c.Read, c.Page = read, 300_000
		newJob(c).complete(t)
		for where, skip := range map[string]int{"first": 0, "middle": all.Hits() / 2, "last": all.Hits() - 1} {
			for _, f := range faults() {
				t.Run(read+"/"+where+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					againOnce(t, i, read, skip, f)
				})
			}
		}
	}
}

// againOnce lets one page fail, and wants it to be asked for again.
func againOnce(t *testing.T, i *index, read string, skip int, f fault) {
	p := faultproxy.New(t, i.url)
	rule := f.rule
	rule.Match, rule.Skip, rule.Times = isPage, skip, 1
	if f.name == "noise" || f.name == "cut mid-hit" {
		rule.Edit, rule.CutAfter = nil, 130 // the last page has no hit
	}
	hit := p.Add(rule)
	c := config(p.URL, i)
	c.Read, c.Page = read, 300_000
	j := newJob(c)
	j.complete(t)
	j.wants(t, i)
	s, _ := j.last.Status()
	var retries int64
	for _, n := range s.Retries {
		retries += n
	}
	if hit.Hits() != 1 || retries != 1 {
		t.Errorf("got %d faults and %v told as retries, want one", hit.Hits(), s.Retries)
	}
}

func TestAPageThatGoesOnFailingEndsTheLaneAndTheNextRunGoesOn(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 3000, 1000)
	for _, read := range resumable(t) {
		for _, f := range faults() {
			t.Run(read+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				goesOn(t, i, read, f)
			})
		}
	}
}

// goesOn lets all pages fail from one on, and the next run go on there.
func goesOn(t *testing.T, i *index, read string, f fault) {
	p := faultproxy.New(t, i.url)
	rule := f.rule
	rule.Match, rule.Skip, rule.Times = isPage, 3, -1
	if rule.CutAfter > 0 {
		rule.CutAfter = 700 // before the end of the first hit: else each try makes progress
	}
	p.Add(rule)
	c := config(p.URL, i)
	c.Read, c.Retry = read, unit.Duration(20*time.Millisecond)
	j := newJob(c)
	after, of := "after record ", " of 3000"
	if read == "sequence" {
		after, of = "after sequence number ", " of 2999"
	}
	j.failing(t, i.name, "shard 0", after, of, f.says)
	p.Clear()
	j.complete(t)
	j.wants(t, i)
	if n := len(p.Requests("POST", i.name+i.engine.PointInTime())); read == "pit" && n != 0 {
		t.Errorf("got %d points in time opened by the second run, want it to go on in the first", n)
	}
}

func TestAPageCutAnywhereGivesEachRecordOnce(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 40, 60)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	for _, c.Read = range resumable(t) {
		for at := int64(1); at < 6600; at += 661 {
			p.Clear()
			p.Add(&faultproxy.Rule{Match: isPage, CutAfter: at})
			j := newJob(c)
			j.complete(t)
			j.wants(t, i)
		}
	}
}

func TestAPageCutInALongHitGivesEachRecordOnce(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, `,"mappings":{"enabled":false}`)
	i.fill(t, 6, 900_000)
	for _, read := range resumable(t) {
		p := faultproxy.New(t, i.url)
		for _, at := range []int64{100, 300_000, 600_000, 1_000_000, 2_600_000} {
			p.Add(&faultproxy.Rule{Match: isPage, CutAfter: at})
		}
		c := config(p.URL, i)
		c.Read = read
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
}

const busy = `{"error":{"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}`

// What is asked beside pages may be asked again, whatever became of it.
func TestACallThatFailsIsMadeAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 20, 100)
	for name, call := range map[string]*faultproxy.Rule{
		"settings": {Path: i.name + "/_settings"},
		"mapping":  {Path: i.name + "/_mapping"},
		"stats":    {Path: i.name + "/_stats/docs"},
		"refresh":  {Path: i.name + "/_refresh"},
		"open":     {Path: i.name + i.engine.PointInTime(), Method: "POST"},
	} {
		if name == "open" && i.engine.PointInTime() == "" {
			continue
		}
		for what, f := range map[string]func() *faultproxy.Rule{
			"504":      func() *faultproxy.Rule { return &faultproxy.Rule{Status: 504} },
			"late 504": func() *faultproxy.Rule { return &faultproxy.Rule{Status: 504, Late: true} },
			"503":      func() *faultproxy.Rule { return &faultproxy.Rule{Status: 503} },
			"429":      func() *faultproxy.Rule { return &faultproxy.Rule{Status: 429, Body: busy} },
			"lost":     func() *faultproxy.Rule { return &faultproxy.Rule{Cut: true, Late: true} },
			"cut":      func() *faultproxy.Rule { return &faultproxy.Rule{CutAfter: 5} },
			"noise":    func() *faultproxy.Rule { return &faultproxy.Rule{Status: 200, Body: "<html>"} },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				p, rule := faultproxy.New(t, i.url), f()
				rule.Path, rule.Method = call.Path, call.Method
				hit := p.Add(rule)
				j := following(p.URL, i)
				if name == "open" {
					j.config.Read = "pit"
				}
				j.complete(t)
				j.wantsLatest(t, i)
				if hit.Hits() != 1 {
					t.Error("the fault did not happen")
				}
			})
		}
	}
}

func TestAScrollPageThatFailsEndsTheLaneAndIsNeverAskedForAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	c.Read, c.Page = "scroll", 200_000
	newJob(c).complete(t)
	all := len(p.Requests("POST", "/_search/scroll"))
	for where, skip := range map[string]int{"first": 0, "middle": all / 2, "last": all - 1} {
		for _, f := range faults() {
			if f.name == "terminated early" {
				continue // see TestAScrollPageThatEndsEarlyMustBeFull
			}
			if where == "last" && (f.name == "noise" || f.name == "cut mid-hit") { // it has no hit
				f.rule, f.says = &faultproxy.Rule{CutAfter: 100}, "unexpected EOF"
			}
			t.Run(where+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				scrollFails(t, i, skip, f)
			})
		}
	}
}

// scrollFails lets one page of a scroll fail, behind its first.
func scrollFails(t *testing.T, i *index, skip int, f fault) {
	p := faultproxy.New(t, i.url)
	rule := f.rule
	rule.Path, rule.Method, rule.Skip = "/_search/scroll", "POST", skip
	p.Add(rule)
	c := config(p.URL, i)
	c.Read, c.Page = "scroll", 200_000
	j := newJob(c)
	j.failing(t, i.name, "shard 0", "scroll page after record ", " of 1500", f.says)
	if n := len(p.Requests("POST", "/_search/scroll")); n != skip+1 {
		t.Errorf("got %d pages asked for, want %d", n, skip+1)
	}
	j.complete(t)
	j.wants(t, i)
}

func TestAScrollPageThatEndsEarlyMustBeFull(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	c.Read, c.Page = "scroll", 200_000
	early := &faultproxy.Rule{Path: "/_search/scroll", Method: "POST", Times: 3, Edit: early}
	p.Add(early)
	j := newJob(c)
	j.complete(t)
	j.wants(t, i)
	if early.Hits() != 3 {
		t.Errorf("got %d full pages that ended early, want 3", early.Hits())
	}
	p.Clear()
	p.Add(&faultproxy.Rule{Path: early.Path, Method: "POST", Times: -1, Edit: early.Edit})
	newJob(c).failing(t, i.name, "shard 0", "after record 1500 of 1500", "terminated_early")
	if n := len(p.Requests("POST", early.Path)); n < 4 {
		t.Errorf("got %d pages, want the last one to be refused, which is short", n)
	}
}

func TestAScrollThatDoesNotOpenIsOpenedAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 20, 100)
	for _, f := range faults() {
		if f.name == "cut mid-hit" {
			f.rule.CutAfter = 100 // behind the head, records may have been delivered: see scrollFails
		}
		if f.name == "noise" {
			continue // likewise
		}
		p := faultproxy.New(t, i.url)
		f.rule.Query, f.rule.Times = "scroll=", 1
		hit := p.Add(f.rule)
		c := config(p.URL, i)
		c.Read = "scroll"
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
		if hit.Hits() != 1 {
			t.Errorf("%s: the fault did not happen", f.name)
		}
	}
}

func TestAnExpiredPointInTimeIsReadAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 4000, 1000)
	p := faultproxy.New(t, i.url)
	j := newJob(config(p.URL, i))
	hit := p.Add(&faultproxy.Rule{Match: isPage, Skip: 4, Do: func() {
		i.remove(t, 3900, 4000)
		j.closeContext(t, i)
	}})
	j.complete(t)
	for id, source := range i.docs {
		if n := strings.SplitN(source, ",", 2)[0]; len(n) == len(`{"n":3900`) && n >= `{"n":3900` {
			delete(i.docs, id)
		}
	}
	if hit.Hits() != 1 || len(i.docs) != 3900 {
		t.Fatalf("the test is wrong: %d hits, %d documents", hit.Hits(), len(i.docs))
	}
	j.wants(t, i)
	if s, _ := j.last.Status(); s.Lanes[0].State.Start != 1 {
		t.Errorf("got %d starts over, want 1", s.Lanes[0].State.Start)
	}
}

// closeContext closes the point in time of the one lane of an index.
func (j *job) closeContext(t *testing.T, i *index) {
	t.Helper()
	row, err := j.store.Get("source.contexts", i.name+"-0")
	if err != nil || row == nil {
		t.Errorf("there is no point in time to close: %v", err)
		return
	}
	var known struct{ Way, Context string }
	if err := json.Unmarshal(row, &known); err != nil {
		t.Error(err)
	}
	body := map[string]any{"pit_id": []string{known.Context}}
	if i.engine.Elasticsearch() {
		body = map[string]any{"id": known.Context}
	}
	text, _ := json.Marshal(body)
	all := &index{url: i.url, name: known.Way}
	all.call(t, "DELETE", "", string(text))
}

func TestAScrollThatWasLostWithItsNodeIsReadAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for name, rule := range map[string]*faultproxy.Rule{
		"disconnected": {Status: 500, Body: `{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","root_cause":[{"type":"node_disconnected_exception","reason":"[n] disconnected"}]},"status":500}`},
		"left":         {Edit: replace(whole, `"_shards":{"total":1,"successful":0,"skipped":0,"failed":1,"failures":[{"reason":{"type":"illegal_argument_exception","reason":"scroll_id references node [n] which was not found in the cluster"}}]}`)},
		"expired":      {Status: 404, Body: `{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","root_cause":[{"type":"search_context_missing_exception","reason":"No search context found for id [1]"}]},"status":404}`},
	} {
		p := faultproxy.New(t, i.url)
		rule.Path, rule.Method, rule.Skip = "/_search/scroll", "POST", 1
		p.Add(rule)
		c := config(p.URL, i)
		c.Read, c.Page = "scroll", 200_000
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
		if s, _ := j.last.Status(); rule.Hits() != 1 || s.Lanes[0].State.Start != 1 {
			t.Errorf("%s: got %d faults and %d starts over, want one of each", name, rule.Hits(), s.Lanes[0].State.Start)
		}
	}
}

func TestAPointInTimeThatExpiredBetweenRunsStartsOver(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 5000, 1000)
	for name, sent := range map[string]int{"something saved": 2, "nothing saved": 0} {
		t.Run(name, func(t *testing.T) {
			j := newJob(config(i.url, i))
			j.stopAfter(t, sent)
			j.closeContext(t, i)
			j.complete(t)
			j.wants(t, i)
			if s, _ := j.last.Status(); s.Lanes[0].State.Start != 1 {
				t.Errorf("got %d starts over, want 1: what was read may have been delivered", s.Lanes[0].State.Start)
			}
		})
	}
}

func TestAScrollThatWasStoppedStartsOver(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 3000, 1000)
	c := config(i.url, i)
	c.Read = "scroll"
	j := newJob(c)
	j.stopAfter(t, 1)
	j.complete(t)
	j.wants(t, i)
	if s, _ := j.last.Status(); s.Lanes[0].State.Start != 1 {
		t.Errorf("got %d starts over, want 1", s.Lanes[0].State.Start)
	}
}

// stopAfter runs until a lane has sent n items, and stops.
func (j *job) stopAfter(t *testing.T, n int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	res, err := j.run(ctx, t, pipeline.Stage{Name: "stop", Transform: stopping{n, stop}})
	if err != nil || res.Complete {
		t.Fatalf("got %+v, %v, want a run that was stopped", res, err)
	}
}

// stopping hands on n items and takes no more until it has stopped the run.
type stopping struct {
	n    int
	stop context.CancelFunc
}

func (s stopping) Run(ctx context.Context, in <-chan *pipeline.Item, out chan<- *pipeline.Item) error {
	for k := 0; ; k++ {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if k == s.n {
			s.stop()
			<-pipeline.Stopping(ctx)
			return pipeline.ErrStopped
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
}

func TestAStoppedRunGoesOnInTheSameSnapshot(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 5000, 1000)
	want := newJob(config(i.url, i))
	want.complete(t)
	j := newJob(config(i.url, i))
	for n := range 4 {
		j.stopAfter(t, 1)
		i.call(t, "PUT", "/_doc/new"+strconv.Itoa(n)+"?refresh=true", `{"n":1}`)
	}
	j.complete(t)
	j.wants(t, i)
	for key, content := range want.sink.Objects {
		if j.sink.Objects[key] != content {
			t.Errorf("object %s differs from that of a run that was not stopped", key)
		}
	}
	if n := contexts(t, i); n != 0 {
		t.Errorf("got %d contexts left open, want none", n)
	}
}

func TestAnIndexThatWasRecreatedIsAnError(t *testing.T) {
	t.Parallel()
	for _, read := range ways(t) {
		i := newIndex(t, "", 1, "")
		i.fill(t, 3000, 1000)
		c := config(i.url, i)
		c.Read = read
		j := newJob(c)
		j.stopAfter(t, 1)
		i.call(t, "DELETE", "", "")
		j.failing(t, i.name, "the index was deleted since", "sluice checkpoint reset")
		i.create(t, 1, "")
		j.failing(t, i.name, "deleted and created again", "sluice checkpoint reset")
	}
}

func TestASnapshotThatGivesLessThanItHoldsIsAnErrorAndIsReadAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for _, read := range snapshots(t) {
		p := faultproxy.New(t, i.url)
		c := config(p.URL, i)
		c.Read = read
		path := "/_search"
		if read == "scroll" {
			path, c.Page = "/_search/scroll", 200_000
		}
		// The third page is empty and clean, but the shard had more to give.
		p.Add(&faultproxy.Rule{Method: "POST", Path: path, Match: isPage, Skip: 2, Edit: func(r *http.Response) {
			b, _ := io.ReadAll(r.Body)
			b = bytes.Replace(b, []byte(`"terminated_early":true,`), nil, 1)
			at := bytes.Index(b, []byte(`"hits":[`)) + len(`"hits":[`)
			b = append(b[:at:at], "]}}"...)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
		}})
		j := newJob(c)
		j.failing(t, i.name, "shard 0", "holds 1500 records, but gave ")
		j.complete(t)
		j.wants(t, i)
		if s, _ := j.last.Status(); s.Lanes[0].State.Start != 1 {
			t.Errorf("%s: got %d starts over, want 1: nobody knows which records were left out", read, s.Lanes[0].State.Start)
		}
	}
}

func TestAPointInTimeIsKeptWhileTheSinkIsSlow(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 6000, 1000)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	c.KeepAlive = unit.Duration(time.Second)
	j := newJob(c)
	s := &slow{asked: func() int { return len(p.Requests("POST", "/_search?")) }}
	j.complete(t, pipeline.Stage{Name: "slow", Transform: s})
	j.wants(t, i)
	if s.uses < 2 {
		t.Errorf("got %d uses of the point in time in 1.5 times its life, want at least 2", s.uses)
	}
}

// slow does not take its second item before requests have come, or for too
// long a time. The clock is the cluster's, so it cannot be a false one.
type slow struct {
	asked func() int
	uses  int
}

func (s *slow) Run(ctx context.Context, in <-chan *pipeline.Item, out chan<- *pipeline.Item) error {
	for k := 0; ; k++ {
		if k == 1 {
			<-time.After(400 * time.Millisecond) // all blocks are filled
			before := s.asked()
			<-time.After(1500 * time.Millisecond)
			s.uses = s.asked() - before
		}
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
}

func TestALongRecordIsADeadLetterOrAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, `,"mappings":{"enabled":false}`)
	i.fill(t, 1200, 1000)
	for _, id := range []string{"long1", "long2"} {
		i.call(t, "PUT", "/_doc/"+id, `{"text":"`+strings.Repeat("\\\"x", 500_000)+`"}`)
	}
	i.call(t, "PUT", "/_doc/last", `{"n":1}`)
	i.call(t, "POST", "/_refresh", "")
	i.docs["last/"] = `{"n":1}`
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Read = read
		j := newJob(c)
		j.env.MaxRecord = 1 << 20
		j.failing(t, i.name, `_id "long1"`, "max_record (1048576)")

		j = newJob(c)
		j.env.MaxRecord = 1 << 20
		j.dead = &pipelinetest.Letters{World: &pipelinetest.World{}, Durable: map[string]string{}}
		res := j.complete(t)
		j.wants(t, i)
		if res.Counts.Dead != 2 || res.Counts.Read != 1203 || len(j.dead.Durable) != 2 {
			t.Errorf("got %+v and %d letters, want 1203 read, 2 of them dead letters", res.Counts, len(j.dead.Durable))
		}
	}
}

func TestALaneThatStartsOverForEverIsAnError(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 20, 1000)
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Match: isPage, Times: -1, Status: 404, Body: `{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":"no"}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":404}`,
		Skip: 1})
	c := config(p.URL, i)
	c.Retry = unit.Duration(time.Second)
	j := newJob(c)
	_, err := j.run(t.Context(), t)
	if err == nil || !strings.Contains(err.Error(), "search_context_missing_exception") || errors.Is(err, pipeline.ErrStartOver) {
		t.Errorf("got %v, want an error for good that says why", err)
	}
}
