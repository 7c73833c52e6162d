// Package search is the sink that indexes records into Elasticsearch or
// OpenSearch, by bulk requests.
//
// Each lane has one request on its way, and builds the next one meanwhile; so
// the writes of a lane to one _id never overtake each other. Every item of
// every reply is read. What the cluster could not take now is sent again, and
// only that; what it will never take becomes a dead letter; what is wrong with
// an index rather than with a record is an error.
//
// Sending again is harmless for records with an _id. One without gets an _id
// from the cluster, and may be there twice after a reply was lost.
//
// A record with a _version is written as external_gte: a document that the
// cluster has in a newer version stays, and the record counts as written. So
// lanes that write to one _id may overtake each other.
//
// An item with Delete, which has no body, deletes the document whose _id is its
// Key, in the index of its Meta, with the routing of the tag [Routing] and the
// version in Version, if there are such; it takes its turn among the records of
// its lane. What is not there is deleted already, and what is newer stays. A
// delete that the cluster refuses for good is an error.
package search

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"sluice/internal/kind"
	"sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Routing is the tag of the Meta of a delete that holds the routing of the
// document.
const Routing = "routing"

// Config is the options of the sink.
type Config struct {
	search.Config
	Around
	Index    string     `yaml:"index" doc:"Index or alias that all records are written to; default: the one that each record names."`
	Bulk     unit.Bytes `yaml:"bulk" default:"4MiB" doc:"Size of a bulk request, before compression; at most 90MiB."`
	Action   string     `yaml:"action" default:"index" enum:"index|create" doc:"create leaves documents as they are that exist already, and is what data streams need; index replaces them."`
	Versions bool       `yaml:"versions" default:"true" doc:"Whether a document with a newer version than the _version of a record stays as it is. Records without a _version replace what is there."`
}

const (
	minBulk = 64 << 10
	maxBulk = 90 << 20
)

// Problems implements kind.Sink.
func (c *Config) Problems(kind.Env) []kind.Problem {
	list := append(c.Config.Problems(), c.Around.problems(c.Index)...)
	if c.Bulk < minBulk || c.Bulk > maxBulk {
		list = append(list, kind.Problem{Option: "bulk", Message: fmt.Sprintf("%s is not between %s and %s", c.Bulk, unit.Bytes(minBulk), unit.Bytes(maxBulk))})
	}
	switch f := checkName([]byte(c.Index)); {
	case c.Index == "" || f == sound:
	case f == systemIndex:
		list = append(list, kind.Problem{Option: "index", Message: fmt.Sprintf("%q begins with a dot: such indices belong to the engine", c.Index)})
	default:
		list = append(list, kind.Problem{Option: "index", Message: fmt.Sprintf("%q is not the name of one index", c.Index)})
	}
	return list
}

// Takes implements kind.Sink.
func (c *Config) Takes(in kind.Form) *kind.Problem {
	switch in {
	case kind.Records:
		return nil
	case kind.Metadata:
		if c.Create.Metadata {
			return nil
		}
		return &kind.Problem{Message: "it makes no index from metadata: set create: {metadata: true}, or let the source take data alone (take: data)"}
	}
	return &kind.Problem{Message: "it takes records, not bytes: leave out what compresses records; before objects, add lines, and decompress if they are compressed"}
}

// Identity implements kind.Sink.
func (c *Config) Identity() string {
	return fmt.Sprintf("%s/%s action=%s", c.Endpoint(), c.Index, c.Action)
}

// Versioned implements kind.Versioned.
func (c *Config) Versioned() bool { return c.Versions && c.Action == "index" }

// Build implements kind.Sink.
func (c *Config) Build(env kind.Env) (pipeline.Sink, error) {
	client, err := search.New(c.Config)
	if err != nil {
		return nil, err
	}
	s := &Sink{client: client, cfg: *c, news: env.New, limit: int(c.Bulk), maxRecord: env.MaxRecord}
	s.requests.New = func() any { return newRequest(s.limit) }
	if c.Index != "" {
		s.index, err = json.Marshal(c.Index)
	}
	return s, err
}

// Sink is the built sink.
type Sink struct {
	client    *search.Client
	cfg       Config
	news      bool   // passes take what is new
	limit     int    // bytes of a request
	index     []byte // as JSON; nil: that of the record
	maxRecord int64
	requests  sync.Pool
}

// Need implements pipeline.Sized: two requests, a reply and a connection; and
// one request for a record that is larger, which is once more in memory when it
// becomes a dead letter.
func (s *Sink) Need() (lane, shared int64) {
	limit := int64(s.limit)
	if s.maxRecord > limit/restShare {
		shared = 2 * (s.maxRecord + 2*maxID)
	}
	return 2*requestSize(limit) + replySize(limit/perRecord+1) + search.ConnectionMemory, shared
}

// Open implements pipeline.Sink.
func (s *Sink) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	a, err := s.openAround(ctx, p)
	if err != nil {
		s.client.Close()
		return nil, err
	}
	w := &writer{Sink: s, around: a, store: p.Store}
	w.most.Store(int64(s.limit))
	return w, nil
}

// Check says what is at the other end. It changes nothing there.
func (s *Sink) Check(ctx context.Context) ([]string, error) {
	defer s.client.Close()
	e, err := s.client.Engine(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.Supported(); err != nil {
		return nil, err
	}
	list, err := s.cfg.findings(ctx, s.client)
	list = append([]string{fmt.Sprintf("%s at %s", e, s.cfg.Endpoint())}, list...)
	if err != nil {
		return list, err
	}
	if s.cfg.Index == "" {
		return append(list, "records are written to the index that each of them names"), nil
	}
	indices, err := s.client.Indices(ctx, []string{s.cfg.Index})
	if search.NotFound(err) {
		return append(list, fmt.Sprintf("index %s does not exist: %s", s.cfg.Index, s.cfg.Create.maker())), nil
	}
	if err != nil {
		return list, err
	}
	for _, i := range indices {
		list = append(list, fmt.Sprintf("index %s: exists, shards: %d", i.Name, i.Shards))
	}
	return list, nil
}
