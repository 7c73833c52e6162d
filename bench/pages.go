package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// pages asks for the pages that Sluice asks for, one way, over one connection
// for each shard, and throws them away. It prints how many bytes they had. They
// are as large from the first as Sluice's become.
func pages(ctx context.Context, t task) error {
	d := dumper{task: t, http: client()}
	did, err := counted(func() error {
		var pit string
		if t.Way == "shared" {
			var err error
			if pit, err = d.pit(ctx, ""); err != nil {
				return err
			}
			defer d.end(ctx, pit)
		}
		g, ctx := errgroup.WithContext(ctx)
		for shard := range t.Lanes {
			g.Go(func() error { return d.throwAway(ctx, asker{task: t, shard: shard, pit: pit}) })
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	did.Bytes = d.read.Load()
	return json.NewEncoder(os.Stdout).Encode(did)
}

// throwAway asks for the pages of a shard.
func (d *dumper) throwAway(ctx context.Context, a asker) (err error) {
	if a.Way == "pit" {
		if a.pit, err = d.pit(ctx, a.preference()); err != nil {
			return err
		}
		defer d.end(ctx, a.pit)
	}
	buf := make([]byte, 128<<10)
	for {
		reply, err := d.patiently(ctx, &a)
		if err != nil {
			return err
		}
		head, tail, err := d.skim(reply, buf)
		reply.Close()
		if err != nil {
			return err
		}
		_, sort, found := cutLast(tail, `"sort":[`)
		if !found {
			return nil // a page without hits
		}
		if a.Way == "scroll" {
			_, sort, _ = bytes.Cut(head, []byte(`"_scroll_id":"`))
		}
		sort, _, _ = bytes.Cut(bytes.ReplaceAll(sort, []byte(`"`), []byte("]")), []byte("]"))
		a.place = string(sort)
	}
}

// patiently asks for the next page, for at most a minute while the server is busy.
func (d *dumper) patiently(ctx context.Context, a *asker) (io.ReadCloser, error) {
	path, body := a.ask()
	for tries := 1; ; tries++ {
		reply, err := d.post(ctx, path, body)
		if !errors.Is(err, errBusy) || tries == 60 {
			return reply, err
		}
		time.Sleep(time.Second)
	}
}

// skim reads a reply through buf, and returns how it begins and ends.
func (d *dumper) skim(reply io.Reader, buf []byte) (head, tail []byte, err error) {
	for {
		n, err := reply.Read(buf)
		d.read.Add(int64(n))
		head = append(head, buf[:min(n, 1024-len(head))]...)
		tail = append(tail, buf[max(0, n-256):n]...)
		tail = tail[max(0, len(tail)-256):]
		if err == io.EOF {
			return head, tail, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// asker makes the requests for the pages of a shard.
type asker struct {
	task
	shard int
	pit   string // the point in time, if there is one
	place string // of the next page: the sort values of the last hit, or the name of the scroll
}

// preference is the parameter that chooses the shard.
func (a *asker) preference() string { return fmt.Sprintf("&preference=_shards:%d", a.shard) }

// ask gives the request for the next page.
func (a *asker) ask() (path, body string) {
	const whole = "/_search?allow_partial_search_results=false"
	switch a.Way {
	case "scroll":
		if a.place != "" {
			return "/_search/scroll", fmt.Sprintf(`{"scroll":"5m","scroll_id":%q}`, a.place)
		}
		return "/" + a.Index + whole + "&scroll=5m" + a.preference(), fmt.Sprintf(`{"size":%d,"track_total_hits":true,"sort":["_doc"]}`, pageHits)
	case "sequence":
		after, err := strconv.Atoi(a.place)
		if err != nil { // the first page
			after = -1
		}
		return "/" + a.Index + whole + "&request_cache=false" + a.preference(), fmt.Sprintf(
			`{"size":%d,"track_total_hits":true,"sort":["_seq_no"],"seq_no_primary_term":true,"query":{"range":{"_seq_no":{"gt":%d,"lte":%d}}}}`, pageHits, after, after+pageHits)
	}
	sort, rest := `["_doc"]`, ""
	if a.Way == "shared" {
		sort, rest = `["_doc",{"_shard_doc":"asc"}]`, fmt.Sprintf(`,"slice":{"id":%d,"max":%d}`, a.shard, a.Lanes)
	}
	if a.place != "" {
		rest += `,"search_after":[` + a.place + `]`
	}
	return whole, fmt.Sprintf(`{"size":%d,"track_total_hits":false,"sort":%s,"pit":{"id":%q,"keep_alive":"5m"}%s}`, pageHits, sort, a.pit, rest)
}
