package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// floorLoad copies objects into an index, and prints how many bytes of records
// there were.
func floorLoad(ctx context.Context, t task) error {
	l := loader{task: t, http: client(), store: store(t.Store), keys: make(chan string)}
	did, err := counted(func() error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			defer close(l.keys)
			return l.list(ctx)
		})
		for range t.Lanes {
			g.Go(func() error { return l.lane(ctx) })
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	if n := l.records.Load(); n != int64(t.Documents) {
		return fmt.Errorf("%d records, want %d", n, t.Documents)
	}
	did.Bytes = l.read.Load()
	return json.NewEncoder(os.Stdout).Encode(did)
}

type loader struct {
	task
	http          *http.Client
	store         *s3.Client
	keys          chan string
	records, read atomic.Int64
}

// list sends the keys of the objects.
func (l *loader) list(ctx context.Context) error {
	pages := s3.NewListObjectsV2Paginator(l.store, &s3.ListObjectsV2Input{Bucket: &l.Bucket, Prefix: &l.Prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			select {
			case l.keys <- *o.Key:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// lane copies objects until there are no more.
func (l *loader) lane(ctx context.Context) error {
	b := &bulk{ctx: ctx, loader: l, body: make([]byte, 0, bulkSize), action: []byte(`{"index":{"_index":"` + l.Index + `","_id":`)}
	in, z := bufio.NewReaderSize(nil, 64<<10), new(gzip.Reader)
	for key := range l.keys {
		o, err := l.store.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.Bucket, Key: &key})
		if err != nil {
			return err
		}
		in.Reset(o.Body)
		if err := z.Reset(in); err != nil {
			return err
		}
		n, err := z.WriteTo(b)
		if err = errors.Join(err, o.Body.Close()); err != nil {
			return err
		}
		l.read.Add(n)
	}
	return b.send()
}

// bulk makes requests of the records that are written to it.
type bulk struct {
	ctx context.Context // of the lane: io.Writer has none
	*loader
	action []byte // up to the _id
	body   []byte
	rest   []byte // of a record whose end has not come
	reply  bytes.Buffer
}

// Write implements io.Writer.
func (b *bulk) Write(p []byte) (int, error) {
	size := len(p)
	for {
		n := bytes.IndexByte(p, '\n') + 1
		if n == 0 {
			b.rest = append(b.rest, p...)
			return size, nil
		}
		line := p[:n]
		if len(b.rest) > 0 {
			b.rest = append(b.rest, line...)
			line = b.rest
		}
		if err := b.record(line); err != nil {
			return 0, err
		}
		p, b.rest = p[n:], b.rest[:0]
	}
}

// record copies a record.
func (b *bulk) record(line []byte) (err error) {
	if len(b.body)+len(b.action)+len(line) > cap(b.body) {
		if err := b.send(); err != nil {
			return err
		}
	}
	b.body, err = appendPair(b.body, b.action, line)
	b.records.Add(1)
	return err
}

// appendPair appends an action, of which there is what comes before the _id, and
// the source of a record, which is as Sluice writes it.
func appendPair(dst, action, line []byte) ([]byte, error) {
	const id, source = `,"_id":`, `,"_source":`
	i := bytes.Index(line, []byte(id))
	j := bytes.Index(line, []byte(source))
	if i < 0 || j < i {
		return dst, fmt.Errorf("not a record: %s", line)
	}
	dst = append(append(dst, action...), line[i+len(id):j]...)
	dst = append(append(dst, "}}\n"...), line[j+len(source):len(line)-2]...) // without the brace and newline that end the record
	return append(dst, '\n'), nil
}

// send posts the request.
func (b *bulk) send() error {
	if len(b.body) == 0 {
		return nil
	}
	if err := post(b.ctx, b.http, b.Search, b.body, &b.reply); err != nil {
		return err
	}
	b.body = b.body[:0]
	return nil
}

// post sends a bulk request, and takes any error in its reply for one.
func post(ctx context.Context, c *http.Client, path string, body []byte, reply *bytes.Buffer) error {
	in, err := send(ctx, c, "POST", path+"/_bulk?filter_path=items.*.status,items.*.error.type", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer in.Close()
	reply.Reset()
	if _, err := reply.ReadFrom(in); err != nil {
		return err
	}
	if bytes.Contains(reply.Bytes(), []byte(`"error"`)) {
		return fmt.Errorf("bulk: %.500s", reply.Bytes())
	}
	return nil
}
