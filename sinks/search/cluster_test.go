package search_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	insearch "sluice/internal/search"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/search"
)

// op is one operation of a bulk request.
type op struct {
	Verb, Index, ID, Routing, Source string
	Version                          string
}

// answer is an HTTP answer in place of the real one.
type answer struct {
	status int
	body   string
}

// outcome is what becomes of one operation; the zero outcome applies it.
type outcome struct {
	status       int
	kind, reason string
}

// cluster is a fake that speaks the bulk protocol. What it holds survives.
type cluster struct {
	*httptest.Server
	world *pipelinetest.World
	mu    sync.Mutex
	docs  map[string]string // by index/id
	is    map[string]int64  // the version of those that were written or deleted with one
	order []string          // index/id=source, as it was written
	bulks [][]op            // every request that was carried out or answered by whole
	sizes []int             // of their bodies

	whole func(n int, ops []op, size int) *answer // in place of bulk number n, from 0
	item  func(n int, o op) outcome
	items func(n int, items []string) []string // edits the reply
	lost  func(n int) bool                     // the reply of bulk number n is lost
	paths []string                             // other requests
	query string                               // of the last bulk

	zipped int // requests that came compressed
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{world: &pipelinetest.World{}, docs: map[string]string{}, is: map[string]int64{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP implements http.Handler.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		in, _ = gzip.NewReader(r.Body)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodPost || r.URL.Path != "/_bulk" {
		c.mu.Lock()
		c.paths = append(c.paths, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		if r.URL.Path == "/" {
			io.WriteString(w, `{"version":{"distribution":"opensearch","number":"3.8.0"}}`)
			return
		}
		if index, id, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/_doc/"); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			if source, found := c.docs[index+"/"+id]; found {
				fmt.Fprintf(w, `{"found":true,"_source":%s}`, source)
			} else {
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, `{"found":false}`)
			}
			return
		}
		io.WriteString(w, `{}`)
		return
	}
	ops, malformed := parse(body)
	c.mu.Lock()
	n := len(c.bulks)
	c.bulks, c.sizes, c.query = append(c.bulks, ops), append(c.sizes, len(body)), r.URL.RawQuery
	if in != r.Body {
		c.zipped++
	}
	c.mu.Unlock()
	if c.whole != nil {
		if a := c.whole(n, ops, len(body)); a != nil {
			w.WriteHeader(a.status)
			io.WriteString(w, a.body)
			return
		}
	}
	if malformed != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"type":"illegal_argument_exception","reason":%q},"status":400}`, malformed)
		return
	}
	var items []string
	if c.world.Do(func() { items = c.apply(n, ops) }) != nil || c.lost != nil && c.lost(n) {
		panic(http.ErrAbortHandler)
	}
	if c.items != nil {
		items = c.items(n, items)
	}
	fmt.Fprintf(w, `{"took":3,"errors":true,"items":[%s]}`, strings.Join(items, ","))
}

// apply carries out a bulk request.
func (c *cluster) apply(n int, ops []op) (items []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range ops {
		key := o.Index + "/" + o.ID
		if o.ID == "" {
			key = fmt.Sprintf("%s/auto-%d", o.Index, len(c.order))
		}
		out := outcome{}
		if c.item != nil {
			out = c.item(n, o)
		}
		_, there := c.docs[key]
		switch {
		case out.status != 0:
		case there && o.Verb == "create":
			out = outcome{409, "version_conflict_engine_exception", "document already exists"}
		case o.Verb == "update":
			o.Source, out = c.update(key, o.Source)
		}
		version, err := strconv.ParseInt(o.Version, 10, 64)
		if err == nil && out.status == 0 && version < c.is[key] {
			out = outcome{409, "version_conflict_engine_exception", fmt.Sprintf("version conflict, current version [%d] is higher than the one provided [%d]", c.is[key], version)}
		}
		if out.status != 0 {
			items = append(items, fmt.Sprintf(`{%q:{"_id":%q,"status":%d,"error":{"type":%q,"reason":%q}}}`, o.Verb, o.ID, out.status, out.kind, out.reason))
			continue
		}
		c.is[key] = version
		c.order = append(c.order, key+"="+o.Source)
		status := 201
		if _, there := c.docs[key]; there {
			status = 200
		} else if o.Verb == "delete" {
			status = 404
		}
		if c.docs[key] = o.Source; o.Verb == "delete" {
			delete(c.docs, key)
		}
		items = append(items, fmt.Sprintf(`{%q:{"status":%d}}`, o.Verb, status))
	}
	return items
}

// update gives what a document is after an update.
func (c *cluster) update(key, body string) (string, outcome) {
	var u struct {
		Doc    map[string]any
		Upsert bool `json:"doc_as_upsert"`
	}
	if json.Unmarshal([]byte(body), &u) != nil || u.Doc == nil {
		return "", outcome{400, "x_content_parse_exception", "[UpdateRequest] unknown field"}
	}
	old, there := c.docs[key]
	if !there && !u.Upsert {
		return "", outcome{404, "document_missing_exception", "document missing"}
	}
	doc := map[string]any{}
	json.Unmarshal([]byte(old), &doc)
	maps.Copy(doc, u.Doc)
	text, _ := json.Marshal(doc)
	return string(text), outcome{}
}

// parse reads a bulk body as strictly as an engine.
func parse(body []byte) (ops []op, err error) {
	lines := strings.SplitAfter(string(body), "\n")
	if len(lines) < 2 || lines[len(lines)-1] != "" {
		return nil, fmt.Errorf("%d lines, the last one %q", len(lines), lines[len(lines)-1])
	}
	for i := 0; i < len(lines)-1; i++ {
		var action map[string]struct {
			Index   string      `json:"_index"`
			ID      *string     `json:"_id"`
			Routing string      `json:"routing"`
			Version json.Number `json:"version"`
			Type    string      `json:"version_type"`

			Pipeline string `json:"pipeline"`
			Alias    bool   `json:"require_alias"`
			Retries  int    `json:"retry_on_conflict"`
		}
		d := json.NewDecoder(strings.NewReader(lines[i]))
		d.DisallowUnknownFields()
		if err := d.Decode(&action); err != nil || len(action) != 1 {
			return nil, fmt.Errorf("Malformed action/metadata line [%d]", i+1)
		}
		for verb, a := range action {
			o := op{Verb: verb, Index: a.Index, Routing: a.Routing, Version: a.Version.String()}
			if a.ID != nil {
				o.ID = *a.ID
			}
			switch {
			case len(o.ID) > 512:
				return nil, fmt.Errorf("id is too long")
			case (a.Version != "") != (a.Type == "external_gte"):
				return nil, fmt.Errorf("version %q of type %q", a.Version, a.Type)
			case a.ID == nil && (verb == "update" || verb == "delete"):
				return nil, fmt.Errorf("id is missing")
			case a.Version != "" && (a.ID == nil || verb == "create" || verb == "update"):
				return nil, fmt.Errorf("an id must be provided if version type or value are set")
			}
			if verb != "delete" {
				i++
				o.Source = strings.TrimSuffix(lines[i], "\n")
			}
			ops = append(ops, o)
		}
	}
	return ops, nil
}

// lines gives all documents, as records.
func (c *cluster) lines() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, source := range c.docs {
		index, id, _ := strings.Cut(key, "/")
		list = append(list, rec(index, id, source))
	}
	slices.Sort(list)
	return list
}

// ids gives the _ids of a bulk request, in order.
func (c *cluster) ids(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, o := range c.bulks[n] {
		list = append(list, o.ID)
	}
	return strings.Join(list, " ")
}

// rec is a record in the envelope.
func rec(index, id, source string) string {
	return fmt.Sprintf(`{"_index":%q,"_id":%q,"_source":%s}`+"\n", index, id, source)
}

// config is the options for a cluster at url, as the defaults have them.
func config(url string) *search.Config {
	return &search.Config{
		Config: insearch.Config{URL: []string{url}, Retry: unit.Duration(10 * time.Second)},
		Bulk:   64 << 10, Action: "auto", Format: "auto", ID: "keep", Versions: true, Pause: unit.Duration(10 * time.Second), Compression: "off",
	}
}

// loading is a pipeline of one lane that loads blocks of records.
type loading struct {
	blocks  [][]string
	delay   time.Duration // before each block
	letters *kept
	store   *pipelinetest.Store
	reading *sync.Mutex
	read    int // blocks
	log     *slog.Logger
	limit   time.Duration // of a run
	lanes   int           // all of them read the same
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newLoading(blocks ...[]string) *loading {
	return &loading{blocks: blocks, letters: &kept{}, store: &pipelinetest.Store{World: &pipelinetest.World{}}, log: slog.New(slog.DiscardHandler), limit: 30 * time.Second, lanes: 1, reading: &sync.Mutex{}}
}

// logged is a loading with its log.
func logged(blocks ...[]string) (*loading, *bytes.Buffer) {
	l, text := newLoading(blocks...), &bytes.Buffer{}
	l.log = slog.New(slog.NewTextHandler(text, nil))
	return l, text
}

// run makes one run.
func (l *loading) run(t testing.TB, cfg *search.Config) (pipeline.Result, error) {
	t.Helper()
	sink, err := cfg.Build(kind.Env{Pipeline: "p", Workers: 1, MaxRecord: 1 << 20})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	if l.dial != nil {
		sink.(*search.Sink).SetDial(l.dial)
	}
	p := &pipeline.Pipeline{Name: "p", Log: l.log, Source: l, Sink: sink, Store: l.store, Lanes: l.lanes, Depth: 1, Grace: 5 * time.Second}
	if l.letters != nil {
		p.Dead = l.letters
	}
	ctx, cancel := context.WithTimeout(t.Context(), l.limit) // a run that hangs is stopped, and not complete
	defer cancel()
	return p.Run(ctx)
}

// complete makes a run that completes the pass, with so many dead letters.
func (l *loading) complete(t testing.TB, cfg *search.Config, dead int64) {
	t.Helper()
	res, err := l.run(t, cfg)
	if err != nil || !res.Complete {
		t.Fatalf("complete %v, %v, want a complete pass", res.Complete, err)
	}
	n, deleted := int64(0), int64(0)
	for _, b := range l.blocks {
		if isDelete(b) {
			deleted++
			continue
		}
		n += int64(len(b))
	}
	if c := res.Counts; c.Read != n || c.Dead != dead || c.Written != n-dead || c.Deleted != deleted {
		t.Errorf("counts %+v, want %d read, %d dead and %d deleted", c, n, dead, deleted)
	}
	if l.letters != nil && int64(len(l.letters.list)) != dead {
		t.Errorf("%d letters, want %d", len(l.letters.list), dead)
	}
}

// fails makes a run that fails with an error that has all parts, and without letters.
func (l *loading) fails(t testing.TB, cfg *search.Config, parts ...string) {
	t.Helper()
	res, err := l.run(t, cfg)
	if err == nil || res.Complete {
		t.Fatalf("complete %v, error %v, want an error", res.Complete, err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q, want one with %q", err, p)
		}
	}
	if l.letters != nil && len(l.letters.list) != 0 {
		t.Errorf("letters %v, want none", l.letters.list)
	}
}

// Open implements pipeline.Source.
func (l *loading) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) {
	return loadingReader{l}, nil
}

type loadingReader struct{ *loading }

// Plan implements pipeline.Reader.
func (l loadingReader) Plan(context.Context) (lanes []pipeline.Lane, err error) {
	for n := range l.lanes {
		name := string(rune('a' + n))
		lanes = append(lanes, pipeline.Lane{Name: name, ID: name, Parts: 1})
	}
	return lanes, nil
}

// Read implements pipeline.Reader.
func (l loadingReader) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	quota, n := pipeline.NewQuota(2), 0
	fmt.Sscan(from.Token, &n)
	for ; n < len(l.blocks); n++ {
		select {
		case <-time.After(l.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
		pos := pipeline.Position{Token: fmt.Sprint(n + 1)}
		if isDelete(l.blocks[n]) {
			it := remove(l.blocks[n])
			it.Pos = pos
			if err := pipeline.Send(ctx, out, it); err != nil {
				return err
			}
			continue
		}
		b, err := quota.Block(ctx)
		if err != nil {
			return err
		}
		for _, line := range l.blocks[n] {
			io.WriteString(b, line)
		}
		l.reading.Lock()
		l.loading.read++
		l.reading.Unlock()
		if err := pipeline.Send(ctx, out, b.Item("logs", pos, int64(len(l.blocks[n])))); err != nil {
			return err
		}
	}
	return nil
}

// Close implements pipeline.Reader.
func (loadingReader) Close() error { return nil }

// kept is dead letters in memory.
type kept struct {
	mu   sync.Mutex
	list []pipeline.Letter
}

// Write implements pipeline.DeadLetters.
func (k *kept) Write(_ context.Context, l pipeline.Letter) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.Record = bytes.Clone(l.Record)
	k.list = append(k.list, l)
	return nil
}

// Sync implements pipeline.DeadLetters.
func (k *kept) Sync(context.Context) error { return nil }
