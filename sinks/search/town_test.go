package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/search"
)

// town is a fake cluster that has indices, with settings, and aliases.
type town struct {
	*cluster
	server  *httptest.Server
	indices map[string]*index
	aliases map[string][]string // to indices
	aliased map[string]string   // names that stand for one index, which need not be there
	health  []string            // of the indices, one for each time that it is asked; then green
	trace   []string            // what was done, in order
	hook    func(what string)   // before it is
}

type index struct {
	uuid     string
	settings map[string]string
	body     string // that it was made of
}

func newTown(t testing.TB) *town {
	w := &town{cluster: newCluster(t), indices: map[string]*index{}, aliases: map[string][]string{}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

// put makes an index, with settings as name=value.
func (w *town) put(name string, settings ...string) {
	i := &index{uuid: fmt.Sprintf("%s-%d", name, len(w.trace)), settings: map[string]string{"index.number_of_replicas": "1"}}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		i.settings["index."+key] = value
	}
	w.indices[name] = i
}

// of gives the settings of an index, in order.
func (w *town) of(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.indices[name]
	if i == nil {
		return "none"
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(i.settings)) {
		list = append(list, strings.TrimPrefix(key, "index.")+"="+i.settings[key])
	}
	return strings.Join(list, " ")
}

// ServeHTTP implements http.Handler.
func (w *town) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_bulk" {
		w.note("bulk")
		defer w.made()
		w.cluster.ServeHTTP(rw, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	rw.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == "GET":
		w.get(rw, parts)
	default:
		what := r.Method + " " + strings.Join(parts, "/") + " " + string(body)
		if w.hook != nil {
			w.hook(what)
		}
		status := 200
		if w.world.Do(func() { status = w.change(parts, what, body) }) != nil {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(status)
		io.WriteString(rw, `{"acknowledged":true}`)
	}
}

// made makes the indices of documents, as an engine does.
func (w *town) made() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.docs {
		if name, _, _ := strings.Cut(key, "/"); w.indices[name] == nil {
			w.put(name)
		}
	}
}

// note notes a bulk request, but for one that follows another.
func (w *town) note(what string) {
	if w.hook != nil {
		w.hook(what)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.trace); n == 0 || w.trace[n-1] != what {
		w.trace = append(w.trace, what)
	}
}

// get answers about what there is.
func (w *town) get(rw http.ResponseWriter, parts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	reply := map[string]any{}
	switch {
	case parts[0] == "_alias":
		for _, i := range w.aliases[parts[1]] {
			reply[i] = map[string]any{}
		}
	case parts[0] == "_cluster":
		reply["status"] = "green"
		if len(w.health) > 0 {
			reply["status"], w.health = w.health[0], w.health[1:]
		}
	case w.aliased[parts[0]] != "":
		reply[w.aliased[parts[0]]] = map[string]any{"settings": map[string]any{"index.uuid": "u", "index.number_of_shards": "1"}}
	case w.indices[parts[0]] != nil:
		i := w.indices[parts[0]]
		settings := map[string]any{"index.uuid": i.uuid, "index.number_of_shards": "1"}
		for k, v := range i.settings {
			settings[k] = v
		}
		reply[parts[0]] = map[string]any{"settings": settings}
	}
	if len(reply) == 0 {
		rw.WriteHeader(http.StatusNotFound)
	}
	json.NewEncoder(rw).Encode(reply)
}

// change carries out a request that changes something.
func (w *town) change(parts []string, what string, body []byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, strings.TrimSpace(what))
	if len(parts) == 2 && w.indices[parts[0]] == nil {
		return http.StatusNotFound
	}
	switch {
	case parts[0] == "_aliases":
		var all struct {
			Actions []map[string]struct{ Index, Alias string }
		}
		json.Unmarshal(body, &all)
		for _, a := range all.Actions {
			for verb, of := range a {
				w.aliases[of.Alias] = slices.DeleteFunc(w.aliases[of.Alias], func(i string) bool { return i == of.Index })
				if verb == "add" {
					w.aliases[of.Alias] = append(w.aliases[of.Alias], of.Index)
				}
			}
		}
	case len(parts) == 1:
		w.put(parts[0])
		w.indices[parts[0]].body = string(body)
	case parts[1] == "_settings":
		var all map[string]*string
		json.Unmarshal(body, &all)
		for k, v := range all {
			if w.indices[parts[0]].settings[k] = ""; v == nil {
				delete(w.indices[parts[0]].settings, k)
			} else {
				w.indices[parts[0]].settings[k] = *v
			}
		}
	}
	return http.StatusOK
}

// config is options for the town, with an alias unless it is "".
func (w *town) config(change func(*search.Config)) *search.Config {
	cfg := config(w.server.URL)
	cfg.Retry = 0
	change(cfg)
	return cfg
}

// describing is a pass with metadata, as keys and documents.
type describing struct {
	*loading
	keys    []string
	bodies  map[string]pipeline.Body // nil: a block with {"mappings":{"_meta":{"of":KEY}},"aliases":{"a":{}}}
	slow    time.Duration            // before each document
	failure error                    // at the end
	twice   bool                     // two lanes have the data
}

// bodies is an object of a key.
func bodies(key, text string) map[string]pipeline.Body {
	return map[string]pipeline.Body{key: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	})}
}

// Open implements pipeline.Source.
func (d *describing) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) {
	return describingReader{d}, nil
}

type describingReader struct{ *describing }

// Plan implements pipeline.Reader.
func (d describingReader) Plan(context.Context) ([]pipeline.Lane, error) {
	lanes := []pipeline.Lane{{Name: "_metadata", ID: "m", Parts: 1, Aside: true}, {Name: "a", ID: "a", Parts: 1}}
	if d.twice {
		lanes = append(lanes, pipeline.Lane{Name: "b", ID: "b", Parts: 1})
	}
	return lanes, nil
}

// Read implements pipeline.Reader.
func (d describingReader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	if !lane.Aside {
		own := *d.loading // it counts
		return loadingReader{&own}.Read(ctx, lane, from, out)
	}
	quota := pipeline.NewQuota(2)
	for _, key := range d.keys {
		if key <= from.Token {
			continue
		}
		select {
		case <-time.After(d.slow):
		case <-ctx.Done():
			return ctx.Err()
		}
		it := &pipeline.Item{Key: key, Pos: pipeline.Position{Token: key}, Body: d.bodies[key]}
		if it.Body == nil {
			b, err := quota.Block(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, `{"mappings":{"_meta":{"of":%q}},"aliases":{"a":{}}}`+"\n", key)
			it = b.Item(key, it.Pos, 0)
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return d.failure
}

// Close implements pipeline.Reader.
func (describingReader) Close() error { return nil }

// runWith makes one run of a source with the store and letters of the load.
func (l *loading) runWith(ctx context.Context, t testing.TB, source pipeline.Source, cfg *search.Config) (pipeline.Result, error) {
	t.Helper()
	sink, err := cfg.Build(kind.Env{Pipeline: "p", Workers: 1, MaxRecord: 1 << 20})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	p := &pipeline.Pipeline{Name: "p", Log: l.log, Source: source, Sink: sink, Store: l.store, Lanes: 3, Depth: 1, Grace: 5 * time.Second}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return p.Run(ctx)
}

// in makes the state and the cluster parts of one world.
func (w *town) in(l *loading, world *pipelinetest.World) {
	w.world, l.store.World = world, world
}
