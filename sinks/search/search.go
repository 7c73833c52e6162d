// Package search is the sink that indexes records into Elasticsearch or
// OpenSearch, by bulk requests.
//
// A record is an envelope, a document, or an action and its source; see the
// option format.
//
// Each lane has one request on its way, and builds the next one meanwhile; so
// the writes of a lane to one _id never overtake each other. Every item of
// every reply is read. What the cluster could not take now is sent again, and
// only that; what it will never take becomes a dead letter; what is wrong with
// an index rather than with a record is an error, or is waited for if somebody
// has blocked writes to it.
//
// Sending again is harmless for records with an _id, but for updates by script,
// which are applied twice after a lost reply. A record without an _id gets one
// from the cluster, and may be there twice then.
//
// A record with a _version is written, or deleted, as external_gte: a document
// that the cluster has in a newer version stays, and the record counts as
// written. So lanes that write to one _id may overtake each other. Engines know
// no such versions of updates.
//
// An item with Delete, which has no body, deletes the document whose _id is its
// Key, in the index of its Meta, with the routing of the tag [Routing] and the
// version in Version, if there are such; it takes its turn among the records of
// its lane. What is not there is deleted already, and what is newer stays. A
// delete that the cluster refuses for good is an error.
package search

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
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
	Index        string        `yaml:"index" doc:"Index, alias or data stream that records are written to; {index} in it stands for the index that the record names; default: that one."`
	Rename       []Renamed     `yaml:"rename" doc:"Indices that are called otherwise here than records name them: {index} is then the new name."`
	Format       string        `yaml:"format" default:"auto" enum:"auto|envelope|document|bulk" doc:"What records are: envelopes, with _index, _id and _source, as Sluice, searches and elasticdump write them; bare documents; or actions with their sources, as in the body of a bulk request; auto: told record by record, by their keys."`
	Action       string        `yaml:"action" default:"auto" enum:"auto|index|create|update|delete" doc:"index replaces documents; create leaves them as they are where they exist already, and is what data streams need; update changes the fields that the record has; delete deletes the document that the record names; auto: index, or what a record of bulk says."`
	Upsert       bool          `yaml:"upsert" doc:"Whether update makes a document of the record where there is none; else such a record is a dead letter."`
	ID           string        `yaml:"id" default:"keep" enum:"keep|generate|hash" doc:"The _id of documents: that of the record; one that the cluster makes, so that what is sent again may be there twice; or a hash of the source, so that equal records become one document."`
	IDField      string        `yaml:"id_field" doc:"Path of a field whose value becomes the _id, as user.name; records without it are dead letters."`
	RoutingField string        `yaml:"routing_field" doc:"Path of a field whose value becomes the routing, instead of that of the record; records without it are dead letters."`
	Pipeline     string        `yaml:"pipeline" doc:"Ingest pipeline that documents go through; default: that of the index."`
	RequireAlias bool          `yaml:"require_alias" doc:"Whether only aliases are written to: an index of that name, or none, is an error."`
	Versions     bool          `yaml:"versions" default:"true" doc:"Whether a document with a newer version than the _version of a record stays as it is. Records without a _version replace what is there."`
	Bulk         unit.Bytes    `yaml:"bulk" min:"64KiB" max:"90MiB" doc:"Size of a bulk request, before compression, at most 90MiB; default: 8MiB, or 4MiB where memory is short for that in each lane. Small instances of Amazon take 10MiB. A request that a cluster finds too large is sent in halves, and those after it are smaller."`
	Compression  string        `yaml:"compression" default:"auto" enum:"auto|on|off" doc:"Whether requests leave compressed, which costs client and cluster CPU time; auto: while the network is slow, which is measured, if memory has room for that."`
	Pause        unit.Duration `yaml:"pause" default:"1h" doc:"How long it is waited until somebody lifts a block of writes (a full disk, a read-only index), before that is an error."`

	careful bool // see Replay
}

// Renamed is an index that is called otherwise here.
type Renamed struct {
	From string `yaml:"from" required:"true" doc:"Name of the index in records."`
	To   string `yaml:"to" required:"true" doc:"Its name here."`
}

// What is written under id.
const (
	keep      = "keep"
	generated = "generate"
	hashed    = "hash"
)

const (
	roomyBulk = 8 << 20
	smallBulk = 4 << 20
)

// Problems implements kind.Sink.
func (c *Config) Problems(kind.Env) []kind.Problem {
	list := c.Config.Problems()
	list = append(append(list, c.Around.problems(c.Index)...), c.namingProblems()...)
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if c.IDField != "" && c.ID != keep {
		add("id_field", "id says where the _id comes from, too; give one of them")
	}
	if c.ID == generated && (c.Action == verbs[toUpdate] || c.Action == verbs[toDelete]) {
		add("id", "what is updated or deleted has an _id; generate makes one of what is new")
	}
	if c.Upsert && c.Action != verbs[toUpdate] {
		add("upsert", "it belongs to action: update")
	}
	if c.Pipeline != "" && c.Action == verbs[toDelete] {
		add("pipeline", "nothing goes through it with action: delete")
	}
	return list
}

// keepsIDs says whether documents have the _id of their records.
func (c *Config) keepsIDs() bool { return c.ID == keep && c.IDField == "" }

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
	id := fmt.Sprintf("%s/%s action=%s", c.Endpoint(), c.Index, c.Action)
	for _, r := range c.Rename {
		id += fmt.Sprintf(" %s→%s", r.From, r.To)
	}
	if !c.keepsIDs() {
		id += " id=" + cmp.Or(c.IDField, c.ID)
	}
	return id
}

// Versioned implements kind.Versioned.
func (c *Config) Versioned() bool {
	return c.Versions && c.keepsIDs() && c.Action != verbs[toCreate] && c.Action != verbs[toUpdate]
}

// Build implements kind.Sink.
func (c *Config) Build(env kind.Env) (pipeline.Sink, error) {
	client, err := search.New(c.Config)
	if err != nil {
		return nil, err
	}
	s := &Sink{client: client, cfg: *c, limit: int(c.Bulk), env: env}
	if s.limit == 0 {
		s.limit = roomyBulk
		if env.Frugal {
			s.limit = smallBulk
		}
	}
	if s.compression = c.Compression; env.Frugal && c.Compression == "auto" {
		s.compression = "off"
	}
	s.requests.New = func() any { return newRequest(s.limit) }
	s.prepare()
	return s, nil
}

// Sink is the built sink.
type Sink struct {
	client   *search.Client
	cfg      Config
	env      kind.Env
	limit    int // bytes of a request
	requests sync.Pool

	compression string
	naming      naming
	verb        verb // what the option action says, unless it is auto
	auto        bool
	wrap        string     // what follows a document in an update
	versions    bool       // those of records are looked at
	query       url.Values // of a request
}

// prepare works out what is the same for all records.
func (s *Sink) prepare() {
	var named bool
	s.verb, named = verbOf(s.cfg.Action)
	s.auto, s.naming, s.versions = !named, s.cfg.naming(), s.cfg.Versions && s.cfg.keepsIDs()
	if s.wrap = docBehind; s.cfg.Upsert {
		s.wrap = upsertBehind
	}
	s.query = url.Values{"filter_path": {filterPath}}
	if s.cfg.Pipeline != "" {
		s.query.Set("pipeline", s.cfg.Pipeline)
	}
	if s.cfg.RequireAlias {
		s.query.Set("require_alias", "true")
	}
}

// Need implements pipeline.Sized: two requests, a reply and a connection; and
// one request for a record that is larger, which is once more in memory when it
// becomes a dead letter. Requests that are compressed take three quarters of one
// more.
func (s *Sink) Need() (lane, shared int64) {
	limit := int64(s.limit)
	if s.env.MaxRecord > limit/restShare {
		shared = 2 * (s.env.MaxRecord + 2*maxID)
	}
	records := limit/perRecord + 1
	lane = 2*requestSize(limit) + records*createSize + replySize(records) + search.ConnectionMemory
	if s.compression != "off" {
		lane += int64(zipped(s.limit)) + encoderSize
	}
	return lane, shared
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
