package letters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"sluice/internal/crash"
	"sluice/internal/search"
)

// document is a letter in an index.
type document struct {
	ID string `json:"id"` // by which documents are sorted: an index cannot always be sorted by _id
	*Letter
}

// mapping lets letters be found by all that they say but the record, which may
// be longer than what an index can hold as a term.
const mapping = `{"mappings":{"dynamic":false,"properties":{
"time":{"type":"date"},"id":{"type":"keyword"},"pipeline":{"type":"keyword"},"pass":{"type":"long"},"lane":{"type":"keyword"},
"start":{"type":"long"},"stage":{"type":"keyword"},"replay":{"type":"long"},"attempts":{"type":"long"},"status":{"type":"long"},
"type":{"type":"keyword"},"reason":{"type":"text"},"record":{"type":"keyword","index":false,"doc_values":false},"encoding":{"type":"keyword"},
"source":{"properties":{"key":{"type":"keyword","ignore_above":4096},"line":{"type":"long"}}}}}}`

// inIndex keeps letters in an index. Its _id is the identity of a letter, so
// one that is written again is there once.
type inIndex struct {
	client *search.Client
	index  string

	mu   sync.Mutex
	body bytes.Buffer // the next bulk request
	n    int          // letters in it
}

func openIndex(ctx context.Context, c *Search, pipelineName string) (*Writer, error) {
	client, err := search.New(c.Config)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := makeIndex(ctx, client, c.Index); err != nil {
		client.Close()
		return nil, fmt.Errorf("dead letters: index %s: %w", c.Index, err)
	}
	return &Writer{pipeline: pipelineName, keeper: &inIndex{client: client, index: c.Index}}, nil
}

// makeIndex makes the index, unless it is there.
func makeIndex(ctx context.Context, client *search.Client, index string) error {
	_, err := client.Indices(ctx, []string{index})
	if !search.NotFound(err) {
		return err
	}
	err = client.Call(ctx, search.Request{Method: http.MethodPut, Path: search.Path(index), Body: []byte(mapping)}, nil)
	if e := search.AsError(err); e != nil && e.Type == "resource_already_exists_exception" {
		return nil // made by another pipeline, or by a try whose reply was lost
	}
	return err
}

// put implements keeper.
func (w *inIndex) put(ctx context.Context, _ string, l *Letter) error {
	id := l.ID().String()
	line, err := encode(document{id, l})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n > 0 && w.body.Len()+len(line) > chunk {
		if err := w.sync(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(&w.body, "{\"index\":{\"_id\":%q}}\n", id)
	w.body.Write(line)
	w.n++
	return nil
}

// Sync implements keeper.
func (w *inIndex) Sync(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sync(ctx)
}

func (w *inIndex) sync(ctx context.Context) error {
	if w.n == 0 {
		return nil
	}
	if err := w.client.Retry(ctx, func() error { return w.post(ctx) }); err != nil {
		return fmt.Errorf("index %s: %w", w.index, err)
	}
	w.n = 0
	if w.body.Reset(); w.body.Cap() > 2*chunk {
		w.body = bytes.Buffer{}
	}
	crash.Point(crash.AfterDeadLetter)
	return nil
}

// post sends the request once. Every letter has to be taken.
func (w *inIndex) post(ctx context.Context) error {
	var reply struct {
		Items []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	err := w.client.CallOnce(ctx, search.Request{
		Method: http.MethodPost, Path: search.Path(w.index) + "/_bulk", Body: w.body.Bytes(), ContentType: "application/x-ndjson",
		Query: url.Values{"filter_path": {"items.*.status,items.*.error.type,items.*.error.reason"}},
	}, &reply)
	if err != nil {
		return err
	}
	if len(reply.Items) != w.n {
		return search.Again("wrong reply", fmt.Errorf("the reply speaks of %d letters, %d were sent", len(reply.Items), w.n))
	}
	for _, item := range reply.Items {
		for _, r := range item {
			if r.Status >= 300 {
				err := fmt.Errorf("a letter is refused: %d %s: %s", r.Status, r.Error.Type, r.Error.Reason)
				if r.Status == http.StatusTooManyRequests || r.Status >= 500 {
					err = search.Again(fmt.Sprint(r.Status), err)
				}
				return err
			}
		}
	}
	return nil
}

// Close implements keeper.
func (w *inIndex) Close() error {
	defer w.client.Close()
	return w.Sync(context.Background())
}

// pageSize is how many letters are asked for at once: each may have a record of
// any size.
const pageSize = 20

// readIndex gives the letters of a pipeline, in the order of their times.
func readIndex(ctx context.Context, c *Search, pipelineName string, yield func(line []byte) error) error {
	client, err := search.New(c.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Refresh(ctx, c.Index); err != nil {
		if search.NotFound(err) {
			return nil
		}
		return err
	}
	for after, more := json.RawMessage(nil), true; more; {
		page, err := readPage(ctx, client, c.Index, pipelineName, after)
		if err != nil {
			return fmt.Errorf("index %s: %w", c.Index, err)
		}
		for _, hit := range page {
			after = hit.Sort
			if err := yield(hit.Source); err != nil {
				return err
			}
		}
		more = len(page) == pageSize
	}
	return nil
}

type hit struct {
	Source json.RawMessage `json:"_source"`
	Sort   json.RawMessage
}

func readPage(ctx context.Context, client *search.Client, index, pipelineName string, after json.RawMessage) ([]hit, error) {
	body, err := json.Marshal(map[string]any{
		"size": pageSize, "sort": []string{"time", "id"}, "query": map[string]any{"term": map[string]string{"pipeline": pipelineName}},
	})
	if err == nil && after != nil {
		body = fmt.Appendf(body[:len(body)-1], `,"search_after":%s}`, after)
	}
	if err != nil {
		return nil, err
	}
	var reply struct {
		TimedOut bool                                     `json:"timed_out"`
		Shards   struct{ Total, Successful, Skipped int } `json:"_shards"`
		Hits     struct{ Hits []hit }
	}
	r := search.Request{Path: search.Path(index) + "/_search", Body: body, Query: url.Values{"allow_partial_search_results": {"false"}}}
	if err := client.Call(ctx, r, &reply); err != nil {
		return nil, err
	}
	if reply.TimedOut || reply.Shards.Successful+reply.Shards.Skipped < reply.Shards.Total {
		return nil, errors.New("not all shards have answered")
	}
	return reply.Hits.Hits, nil
}
