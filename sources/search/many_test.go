package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/search"
)

// docsOfEach is how many documents an index of [many] has.
const docsOfEach = 3

// many is a cluster of very many small indices, i-00000 and so on, of one shard
// each; the alias all stands for them.
type many struct {
	indices  int
	url      string
	requests atomic.Int64
	open     atomic.Int64 // connections
	opened   atomic.Int64
	mostOpen atomic.Int64
	mostHeap atomic.Uint64
	look     atomic.Bool // at the heap
}

func newMany(t *testing.T, indices int) *many {
	m := &many{indices: indices}
	s := httptest.NewUnstartedServer(m)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			m.opened.Add(1)
			m.mostOpen.Store(max(m.mostOpen.Load(), m.open.Add(1)))
		case http.StateClosed, http.StateHijacked:
			m.open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

func (m *many) name(n int) string { return fmt.Sprintf("i-%05d", n) }

// meant lists the indices that an expression stands for.
func (m *many) meant(expression string) (list []string) {
	if expression != "i-*" && expression != "all" {
		return strings.Split(expression, ",")
	}
	for n := range m.indices {
		list = append(list, m.name(n))
	}
	return list
}

// each writes a JSON object with a member for each index that is meant; its
// name stands for # in the value.
func (m *many) each(w io.Writer, expression, value string) {
	io.WriteString(w, "{")
	for n, name := range m.meant(expression) {
		comma := map[bool]string{true: ","}[n > 0]
		fmt.Fprintf(w, "%s%q:%s", comma, name, strings.Replace(value, "#", name, 1))
	}
	io.WriteString(w, "}")
}

func (m *many) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	if m.look.Load() {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.mostHeap.Store(max(m.mostHeap.Load(), s.HeapInuse))
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/":
		io.WriteString(w, `{"version":{"distribution":"opensearch","number":"3.8.0"}}`)
	case first == "_resolve":
		m.resolve(w, strings.TrimPrefix(rest, "index/"))
	case first == "_alias":
		m.each(w, "all", `{"aliases":{"all":{}}}`)
	case first == "_cluster":
		io.WriteString(w, `{"indices":`)
		m.each(w, strings.TrimPrefix(rest, "health/"), `{"status":"green"}`)
		io.WriteString(w, `}`)
	case rest == "_settings":
		m.each(w, first, `{"settings":{"index":{"uuid":"uuid-of-22-byte#","number_of_shards":"1","number_of_replicas":"1","replication":{"type":"DOCUMENT"}}}}`)
	case rest == "_mapping":
		io.WriteString(w, `{}`)
	case rest == "_stats/docs":
		io.WriteString(w, `{"indices":`)
		m.each(w, first, `{"uuid":"uuid-of-22-byte#","shards":{"0":[{"routing":{"primary":true,"state":"STARTED"},"docs":{"count":3},`+
			`"seq_no":{"max_seq_no":2,"global_checkpoint":2},"commit":{"user_data":{"history_uuid":"a-history-of-22-bytes"}}}]}}`)
		io.WriteString(w, `}`)
	case strings.HasSuffix(r.URL.Path, "/_search/point_in_time"):
		fmt.Fprintf(w, `{"pit_id":%q,"_shards":{"total":1,"successful":1,"failed":0},"creation_time":1}`, first+strings.Repeat("p", 200))
	case r.Method == http.MethodDelete:
		io.WriteString(w, `{"pits":[]}`)
	default:
		m.search(w, r)
	}
}

func (m *many) resolve(w io.Writer, expression string) {
	if expression == "all" {
		list, _ := json.Marshal(m.meant(expression))
		fmt.Fprintf(w, `{"indices":[],"aliases":[{"name":"all","indices":%s}],"data_streams":[]}`, list)
		return
	}
	io.WriteString(w, `{"indices":[{"name":"other","attributes":["open"]}`)
	for _, name := range m.meant(expression) {
		fmt.Fprintf(w, `,{"name":%q,"attributes":["open"]}`, name)
	}
	io.WriteString(w, `],"aliases":[],"data_streams":[]}`)
}

// search answers for hits, and their number.
func (m *many) search(w io.Writer, r *http.Request) {
	var body struct {
		Size  int
		After []int `json:"search_after"`
		PIT   struct{ ID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		panic(err)
	}
	fmt.Fprintf(w, `{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":%d,"relation":"eq"},"hits":[`, docsOfEach)
	for n := range docsOfEach {
		if body.Size == 0 || body.After != nil {
			break
		}
		comma := map[bool]string{true: ","}[n > 0]
		fmt.Fprintf(w, `%s{"_index":%q,"_id":"%d","_score":null,"_source":{"n":%d},"sort":[%d]}`, comma, body.PIT.ID[:7], n, n, n)
	}
	io.WriteString(w, `]}}`)
}

// heap is what the heap takes, without garbage.
func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse
}

func TestAPlanOfManyIndicesIsMadeWithFewRequestsAndLittleMemory(t *testing.T) {
	const indices = 10_000
	m := newMany(t, indices)
	var names []string
	for n := range indices {
		names = append(names, m.name(n))
	}
	for name, change := range map[string]func(*search.Config, *kind.Env){
		"a wildcard": func(c *search.Config, _ *kind.Env) { c.Index = []string{"i-*"} },
		"an alias":   func(c *search.Config, _ *kind.Env) { c.Index = []string{"all"} },
		"names":      func(c *search.Config, _ *kind.Env) { c.Index = names },
		"a query":    func(c *search.Config, _ *kind.Env) { c.Index, c.Query = []string{"i-*"}, `{"term":{"a":1}}` },
		"mode: new":  func(c *search.Config, env *kind.Env) { c.Index, env.New = []string{"i-*"}, true },
	} {
		c, env := config(m.url), newJob(nil).env
		change(c, &env)
		s, err := c.Build(env)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := s.Open(t.Context(), &pipeline.Pass{Store: &newJob(nil).store})
		if err != nil {
			t.Fatal(err)
		}
		before, start := heap(), time.Now()
		m.requests.Store(0)
		m.mostOpen.Store(m.open.Load())
		m.mostHeap.Store(0)
		m.look.Store(true)
		lanes, err := reader.Plan(t.Context())
		m.look.Store(false)
		took, requests, grown, most := time.Since(start), m.requests.Load(), max(heap(), before)-before, max(m.mostHeap.Load(), before)-before
		reader.Close()
		if err != nil || len(lanes) != indices {
			t.Fatalf("%s: got %d lanes, %v, want %d", name, len(lanes), err, indices)
		}
		t.Logf("%s: %s, %d requests, %d connections, %d bytes of heap per lane at the end, %d at most", name, took, requests, m.mostOpen.Load(), grown/indices, most/indices)
		if took > 20*time.Second || requests >= 200 || m.mostOpen.Load() > 4 {
			t.Errorf("%s: got a plan after %s, by %d requests over %d connections, want seconds, less than 200, and 4", name, took, requests, m.mostOpen.Load())
		}
		if grown/indices > 2<<10 || most/indices > 8<<10 {
			t.Errorf("%s: got %d bytes of heap per lane at the end, and %d at most, want 2 KiB and 8 KiB", name, grown/indices, most/indices)
		}
		if want := map[bool]int64{false: docsOfEach}[c.Query != ""]; lanes[7].Records != want {
			t.Errorf("%s: got %d records expected in a lane, want %d", name, lanes[7].Records, want)
		}
		runtime.KeepAlive(lanes)
	}
}

// counting is a store that counts what is put into it, but for plans.
type counting struct {
	pipelinetest.Store
	bytes, puts, plans atomic.Int64
}

func (c *counting) Put(rows ...pipeline.Row) error {
	n := 0
	for _, r := range rows {
		n += len(r.Bucket) + len(r.Key) + len(r.Value)
	}
	if rows[0].Bucket == "pass" {
		c.plans.Add(int64(n))
	} else {
		c.bytes.Add(int64(n))
		c.puts.Add(1)
	}
	return c.Store.Put(rows...)
}

// drain is a sink that counts records.
type drain struct {
	mu      sync.Mutex
	records map[string]int64 // by index
}

func (d *drain) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return d, nil }
func (d *drain) Finish(context.Context) error                                  { return nil }
func (d *drain) Close() error                                                  { return nil }

func (d *drain) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if err != nil || !ok {
			return err
		}
		d.mu.Lock()
		d.records[it.Key] += it.Records
		d.mu.Unlock()
		if err := it.Done(); err != nil {
			return err
		}
	}
}

func TestAPassOverManyIndicesIsCompleteAndSavesLittle(t *testing.T) {
	const lanes = 3
	indices := 1_000
	if os.Getenv("SLUICE_TEST_FAULTS") != "" {
		indices = 10_000
	}
	m := newMany(t, indices)
	c := config(m.url)
	c.Index = []string{"i-*"}
	s, err := c.Build(newJob(nil).env)
	if err != nil {
		t.Fatal(err)
	}
	store := &counting{Store: pipelinetest.Store{World: &pipelinetest.World{}}}
	sink := &drain{records: map[string]int64{}}
	p := &pipeline.Pipeline{Name: "p", Source: s, Sink: sink, Store: store, Lanes: lanes, Grace: time.Second, Log: slog.New(slog.DiscardHandler)}
	before, start := heap(), time.Now()
	res, err := p.Run(t.Context())
	if err != nil || !res.Complete || res.Counts.Written != int64(indices*docsOfEach) {
		t.Fatalf("got %+v, %v, want a complete pass of %d records", res, err, indices*docsOfEach)
	}
	for n := range indices {
		if got := sink.records[m.name(n)]; got != docsOfEach {
			t.Fatalf("got %d records of %s, want %d", got, m.name(n), docsOfEach)
		}
	}
	t.Logf("%s, %d requests, %d connections at a time, %d in all, %d bytes of plans, %d bytes in %d other puts, %d bytes of heap per lane at the end",
		time.Since(start), m.requests.Load(), m.mostOpen.Load(), m.opened.Load(), store.plans.Load(), store.bytes.Load(), store.puts.Load(), (max(heap(), before)-before)/uint64(indices))
	if n := store.bytes.Load() / int64(indices); n > 4<<10 {
		t.Errorf("got %d bytes put into the store per lane, want at most 4 KiB, however many lanes there are", n)
	}
	if n := m.mostOpen.Load(); n > 2*lanes+1 { // one may not yet be back when its lane wants another; the saver closes contexts
		t.Errorf("got %d connections at a time, want at most two of each of %d lanes, and one more", n, lanes)
	}
}
