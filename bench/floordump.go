package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// What the floor has in common with Sluice's defaults.
const (
	level    = 1
	partSize = 8 << 20
	bulkSize = 8 << 20
	pageHits = 10_000 // as many as an index allows: Sluice's pages of 8 MiB have that many small documents
)

// floorDump copies an index into objects, and prints how many bytes it read.
func floorDump(ctx context.Context, t task) error {
	d := dumper{task: t, http: client(), store: store(t.Store)}
	did, err := counted(func() error {
		g, ctx := errgroup.WithContext(ctx)
		for shard := range t.Lanes {
			g.Go(func() error { return d.shard(ctx, shard) })
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	did.Bytes = d.read.Load()
	return json.NewEncoder(os.Stdout).Encode(did)
}

type dumper struct {
	task
	http  *http.Client
	store *s3.Client
	read  atomic.Int64
}

// shard copies the hits of one shard.
func (d *dumper) shard(ctx context.Context, shard int) error {
	pit, err := d.pit(ctx, fmt.Sprintf("&preference=_shards:%d", shard))
	if err != nil {
		return err
	}
	out := &pieces{ctx: ctx, store: d.store, bucket: d.Bucket, prefix: fmt.Sprintf("floor/%s-%d-", d.Index, shard), part: make([]byte, 0, partSize)}
	out.gzip, err = gzip.NewWriterLevel(out, level)
	if err != nil {
		return err
	}
	budget := pageHits * d.records(d.Index).Len()
	buf, after := make([]byte, 128<<10), ""
	for {
		body := fmt.Sprintf(`{"size":%d,"track_total_hits":false,"sort":["_doc"],"pit":{"id":%q,"keep_alive":"5m"}%s}`, pageHits, pit, after)
		tail, err := d.page(ctx, body, out.gzip, buf, budget)
		if err != nil {
			return err
		}
		_, sort, found := cutLast(tail, `"sort":[`)
		if !found {
			break // a page without hits
		}
		value, _, _ := bytes.Cut(sort, []byte("]"))
		after = `,"search_after":[` + string(value) + `]`
	}
	if err := out.gzip.Close(); err != nil {
		return err
	}
	return errors.Join(out.send(), d.end(ctx, pit))
}

// page reads a page through buf into out, as many bytes of it as the records
// have, and returns its last bytes.
func (d *dumper) page(ctx context.Context, body string, out io.Writer, buf []byte, budget int) (tail []byte, err error) {
	reply, err := d.post(ctx, "/_search?allow_partial_search_results=false", body)
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	for {
		n, err := reply.Read(buf)
		d.read.Add(int64(n))
		tail = append(tail, buf[max(0, n-256):n]...)
		tail = tail[max(0, len(tail)-256):]
		if n = min(n, budget); n > 0 {
			budget -= n
			if _, err := out.Write(buf[:n]); err != nil {
				return nil, err
			}
		}
		if err == io.EOF {
			return tail, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func cutLast(b []byte, sep string) (before, after []byte, found bool) {
	i := bytes.LastIndex(b, []byte(sep))
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+len(sep):], true
}

// pit opens a point in time, and returns its name.
func (d *dumper) pit(ctx context.Context, preference string) (string, error) {
	reply, err := d.post(ctx, fmt.Sprintf("/%s/_search/point_in_time?keep_alive=5m%s", d.Index, preference), "")
	if err != nil {
		return "", err
	}
	defer reply.Close()
	var pit struct {
		ID string `json:"pit_id"`
	}
	err = json.NewDecoder(reply).Decode(&pit)
	return pit.ID, err
}

func (d *dumper) post(ctx context.Context, path, body string) (io.ReadCloser, error) {
	return send(ctx, d.http, "POST", d.Search+path, strings.NewReader(body))
}

// end closes the point in time.
func (d *dumper) end(ctx context.Context, id string) error {
	reply, err := send(ctx, d.http, "DELETE", d.Search+"/_search/point_in_time", strings.NewReader(fmt.Sprintf(`{"pit_id":[%q]}`, id)))
	if err == nil {
		reply.Close()
	}
	return err
}

// errBusy is a server that wants to be asked later.
var errBusy = errors.New("429")

// send sends a request and returns the body of a reply that says 200.
func send(ctx context.Context, c *http.Client, method, url string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		if resp.StatusCode == http.StatusTooManyRequests {
			return nil, fmt.Errorf("%s %s: %w: %s", method, url, errBusy, text)
		}
		return nil, fmt.Errorf("%s %s: %d %s", method, url, resp.StatusCode, text)
	}
	return resp.Body, nil
}

// pieces puts what is written to it into objects of the size of a part.
type pieces struct {
	ctx            context.Context // of the shard: io.Writer has none
	store          *s3.Client
	bucket, prefix string
	part           []byte
	n              int
	gzip           *gzip.Writer // that writes here
}

// Write implements io.Writer.
func (p *pieces) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if len(p.part) == cap(p.part) {
			if err := p.send(); err != nil {
				return n, err
			}
		}
		m := min(len(b)-n, cap(p.part)-len(p.part))
		p.part = append(p.part, b[n:n+m]...)
		n += m
	}
	return n, nil
}

// send puts the piece.
func (p *pieces) send() error {
	key, size := fmt.Sprintf("%s%06d", p.prefix, p.n), int64(len(p.part))
	_, err := p.store.PutObject(p.ctx, &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: bytes.NewReader(p.part), ContentLength: &size})
	p.n, p.part = p.n+1, p.part[:0]
	return err
}
