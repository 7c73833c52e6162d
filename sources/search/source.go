// Package search is the source that reads indices of Elasticsearch and
// OpenSearch clusters.
//
// A lane is one shard, read through a context of its own: a point in time that
// holds just this shard, or a scroll where the engine has no points in time.
// So `_doc` alone is a total order, no reply is merged out of several shards,
// and a page can be asked for again from any hit on. Or it is read by the
// sequence numbers that the engine gives to the operations on a shard: then
// nothing is kept at the cluster, and later passes read what has a higher one.
//
// Nothing that a cluster says is taken for complete unless it can be proven:
// each page must be whole, in time, and answered by the shard; a lane ends with
// a page that is empty and clean, and must then have given as many records as
// its snapshot holds.
//
// Records are bytes: replies are cut where the JSON says, never decoded.
package search

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/idset"
	"sluice/internal/kind"
	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// Source reads indices. It implements [pipeline.Source].
type Source struct {
	said atomic.Value // digest of what was found and said last

	config                 Config
	query                  string // JSON
	digest                 string // of query and fields
	keepAlive              time.Duration
	extra                  string      // members of the body of each page
	seqNo                  string      // likewise, where its numbers are wanted
	withVersion, withSeqNo bool        // each record has them
	news                   bool        // passes take what is new
	versions               bool        // records carry a version that orders them
	target                 kind.Lister // where they go, if deletes are found there
	scratch                string      // directory for that
	blocks                 int         // of a lane in flight
	maxRecord              int64
}

// Need implements [pipeline.Sized]: blocks, and what is read ahead.
func (s *Source) Need() (lane, shared int64) {
	shared = pipeline.LargeSize(s.maxRecord) + s.metadataNeed()
	if s.config.Deletes == "reconcile" {
		shared += idset.Memory + listMemory
	}
	return pipeline.QuotaSize(s.blocks) + splitBuffer + cluster.ConnectionMemory, shared
}

// listMemory is what it takes to list ids: pages that are decoded.
const listMemory = 8 << 20

// Open implements [pipeline.Source].
func (s *Source) Open(_ context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	return s.open(p)
}

func (s *Source) open(p *pipeline.Pass) (*reader, error) {
	client, err := cluster.New(s.config.Config)
	if err != nil {
		return nil, err
	}
	client.Compress(s.config.Compression)
	r := &reader{Source: s, client: client, pass: p, read: map[string]saved{}, states: map[string]*state{}, shared: map[string]int{}}
	if p.Lanes == nil {
		return r, nil
	}
	err = p.Store.Range(bucket, "", func(name string, value []byte) error {
		c, err := parseSaved(value)
		switch {
		case err != nil || !c.Complete || c.Pass != p.Number:
		case c.Total == 0: // it was dropped
			uuid, _, _ := strings.Cut(c.ID, "/")
			r.shared[uuid]++
		default:
			r.read[name] = c // the run before this one may have ended before it closed it
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("state: contexts: %w", err)
	}
	return r, nil
}

// reader reads one pass. It implements [pipeline.Reader] and [pipeline.Saver].
type reader struct {
	*Source
	client *cluster.Client
	pass   *pipeline.Pass

	comparing sync.Mutex // while a lane of deletes is read

	mu     sync.Mutex
	read   map[string]saved  // contexts of lanes that were read to the end, by lane; to be closed
	states map[string]*state // of indices, for what their lanes share
	shared map[string]int    // lanes that need a shared context no more, by UUID of the index
}

// Close implements [pipeline.Reader]. Contexts that are needed to go on stay
// open at the cluster.
func (r *reader) Close() error {
	r.client.Close()
	return nil
}

// Saved implements [pipeline.Saver]: a context is needed until all that it
// gave is durable.
func (r *reader) Saved(ctx context.Context, lane pipeline.Lane, pos pipeline.Position) error {
	r.mu.Lock()
	c, ok := r.read[lane.Name]
	at, err := parse(pos)
	ok = ok && err == nil && (at.bySeq || at.count == c.Total)
	if ok {
		delete(r.read, lane.Name)
	}
	r.mu.Unlock()
	if ok {
		r.drop(ctx, c, lane.Parts)
	}
	return nil
}
