package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// canned serves a cluster and a store that know what they are asked for by
// heart, and prints their addresses. The number at the end of an index's name
// is that of its documents.
func canned(ctx context.Context, t task) error {
	cluster, store := &cannedCluster{task: t}, &cannedStore{task: t, members: map[int][]byte{}}
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range []http.Handler{cluster, store} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println("http://" + l.Addr().String())
		s := &http.Server{Handler: h}
		context.AfterFunc(ctx, func() { s.Close() })
		g.Go(func() error { return s.Serve(l) })
	}
	return g.Wait()
}

// last is the number at the end of a name.
func last(name string) int {
	n, _ := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	return n
}

// cannedCluster answers like OpenSearch.
type cannedCluster struct {
	task
	mu   sync.Mutex
	name string // of the index that hits are of
	hits []byte
}

const (
	cannedHits = 2000      // that are kept
	firstSort  = 100000000 // of the first hit, so that all are as long
)

// ServeHTTP implements http.Handler.
func (c *cannedCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/_bulk":
		c.bulk(w, r)
	case r.URL.Path == "/_search" && r.Method == "POST":
		c.search(w, r)
	case r.URL.Path == "/":
		io.WriteString(w, `{"version":{"distribution":"opensearch","number":"3.8.0"}}`)
	case strings.HasSuffix(r.URL.Path, "/_settings"):
		fmt.Fprintf(w, `{%q:{"settings":{"index.uuid":%q,"index.number_of_shards":"%d"}}}`, path[0], path[0], c.Lanes)
	case strings.HasSuffix(r.URL.Path, "/_search/point_in_time"):
		fmt.Fprintf(w, `{"pit_id":%q,"_shards":{"total":1,"successful":1,"failed":0}}`, path[0]+"/"+shardOf(r))
	case strings.HasSuffix(r.URL.Path, "/_search"):
		fmt.Fprintf(w, cannedHead+`"hits":{"total":{"value":%d,"relation":"eq"},"hits":[]}}`, c.count(path[0], shardOf(r)))
	default: // making, refreshing and removing an index, its mapping, the end of a point in time
		io.WriteString(w, `{}`)
	}
}

const cannedHead = `{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},`

func shardOf(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Query().Get("preference"), "_shards:")
}

// count is the number of documents in a shard.
func (c *cannedCluster) count(index, shard string) int {
	n, _ := strconv.Atoi(shard)
	return last(index)*(n+1)/c.Lanes - last(index)*n/c.Lanes
}

// search answers a request for a page of a point in time.
func (c *cannedCluster) search(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Size  int
		After []int `json:"search_after"`
		PIT   struct{ ID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	index, shard, _ := strings.Cut(q.PIT.ID, "/")
	total := c.count(index, shard)
	fmt.Fprintf(w, `{"pit_id":%q,`, q.PIT.ID)
	fmt.Fprintf(w, cannedHead[1:]+`"hits":{"total":{"value":%d,"relation":"eq"},"max_score":null,"hits":[`, total)
	from := 0
	if len(q.After) > 0 {
		from = q.After[0] - firstSort + 1
	}
	hits := c.hitsOf(index)
	size, buf := len(hits)/cannedHits, make([]byte, 0, len(hits))
	for left := min(q.Size, total-from); left > 0; {
		n := min(left, cannedHits)
		buf = append(buf[:0], hits[:n*size]...)
		for i := range n { // a hit ends with its number, two brackets and a comma
			strconv.AppendInt(buf[:(i+1)*size-12], int64(firstSort+from+i), 10)
		}
		left, from = left-n, from+n
		if left == 0 {
			buf = buf[:len(buf)-1]
		}
		w.Write(buf)
	}
	io.WriteString(w, `]}}`)
}

// hitsOf gives hits, each of the same size and with a comma behind it.
func (c *cannedCluster) hitsOf(index string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.name == index {
		return c.hits
	}
	c.name, c.hits = index, nil
	r := c.records(index)
	for i := range int64(cannedHits) {
		line := r.Append(nil, i)
		at := bytes.Index(line, []byte(`"_source":`))
		c.hits = append(append(c.hits, line[:at]...), `"_score":null,`...)
		c.hits = append(c.hits, line[at:len(line)-2]...)
		c.hits = fmt.Appendf(c.hits, `,"sort":[%d]},`, firstSort)
	}
	return c.hits
}

// bulk takes any request.
func (c *cannedCluster) bulk(w http.ResponseWriter, r *http.Request) {
	buf, lines := make([]byte, 256<<10), 0
	for {
		n, err := r.Body.Read(buf)
		lines += bytes.Count(buf[:n], []byte{'\n'})
		if err != nil {
			break
		}
	}
	const item = `{"index":{"status":201}}`
	io.WriteString(w, `{"items":[`+strings.TrimSuffix(strings.Repeat(item+",", lines/2), ",")+`]}`)
}
