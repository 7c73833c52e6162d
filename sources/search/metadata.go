package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/keys"
	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// subject is what a lane of metadata is about.
type subject struct {
	Indices   []string // by name
	Pipelines []string // that their settings name, by name
}

// described is the lane of metadata, if there is to be one. It comes first, so
// that what it says is from about the time of the plan. Its ID is one of this
// pass alone: a later one takes all of it again.
func (r *reader) described(indices []cluster.Index) ([]pipeline.Lane, error) {
	if !r.config.Describes() {
		return nil, nil
	}
	spec, err := json.Marshal(about(indices))
	if err != nil {
		return nil, err
	}
	return []pipeline.Lane{{
		Name: keys.MetadataLane, ID: fmt.Sprintf("metadata of pass %d", r.pass.Number), Spec: string(spec), Parts: 1, Aside: true,
	}}, nil
}

// about makes the subject of indices.
func about(indices []cluster.Index) (s subject) {
	for _, i := range indices {
		s.Indices = append(s.Indices, i.Name)
		s.Pipelines = append(s.Pipelines, i.Settings["index.default_pipeline"], i.Settings["index.final_pipeline"])
	}
	s.Pipelines = real(s.Pipelines)
	return s
}

// real are the names of pipelines that exist, or should, in order.
func real(pipelines []string) []string {
	slices.Sort(pipelines)
	return slices.DeleteFunc(slices.Compact(pipelines), func(p string) bool { return p == "" || p == "_none" })
}

// reference names a document: a place in forms, and the name of a thing.
type reference struct {
	form int
	name string
}

// String gives the token of the position after the document.
func (d reference) String() string { return strconv.Itoa(d.form) + " " + d.name }

// compare is negative if the document comes before another in the lane.
func (d reference) compare(other reference) int {
	return cmp.Or(d.form-other.form, strings.Compare(d.name, other.name))
}

// parseReference reads a token; the zero position is before all documents.
func parseReference(token string) (d reference, err error) {
	if token == "" {
		return reference{form: -1}, nil
	}
	n, name, _ := strings.Cut(token, " ")
	d.name = name
	if d.form, err = strconv.Atoi(n); err != nil {
		err = fmt.Errorf("position %q: %w", token, err)
	}
	return d, err
}

// describe reads the lane of metadata: first what is known to be in it since
// the plan, the indices, then what of the cluster concerns them now.
func (r *reader) describe(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	var s subject
	if err := json.Unmarshal([]byte(lane.Spec), &s); err != nil {
		return fmt.Errorf("lane %s: spec: %w", lane.Name, err)
	}
	after, err := parseReference(from.Token)
	if err != nil {
		return err
	}
	quota := pipeline.NewQuota(metadataBlocks)
	give := func(list []reference) error {
		for _, d := range list {
			if d.compare(after) <= 0 {
				continue
			}
			if err := r.document(ctx, d, quota, out); err != nil {
				return err
			}
		}
		return nil
	}
	if err := give(r.ofIndices(s)); err != nil {
		return err
	}
	others, err := r.concerning(ctx, s)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	return give(others)
}

// metadataBlocks is how many documents of the lane are in memory, beside the
// one that is read.
const metadataBlocks = 2

// metadataSize is the longest reply of the cluster about one thing. What is
// written of it is longer, because it is indented, and may have max_record.
func (s *Source) metadataSize() int64 { return max(s.maxRecord/4, pipeline.BlockSize) }

// metadataNeed is the memory that such a reply takes, with the places of what
// is in it. The document goes into a block.
func (s *Source) metadataNeed() int64 {
	if !s.config.Describes() {
		return 0
	}
	return 2 * s.metadataSize()
}

// document reads one thing and gives its document.
func (r *reader) document(ctx context.Context, d reference, quota *pipeline.Quota, out chan<- *pipeline.Item) error {
	f := forms[d.form]
	list, err := r.fetch(ctx, d)
	if f.take == takePipelines && cluster.NotFound(err) {
		pipeline.Logger(ctx).Warn("an index or template names an ingest pipeline that does not exist", "pipeline", d.name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("metadata of %s %s: %w", f.what, d.name, vanished(err))
	}
	var size counter
	writeMembers(&size, []byte("{"), list, 0)
	b, err := quota.Block(ctx)
	if err != nil {
		return err
	}
	if int64(size) >= max(r.maxRecord, pipeline.BlockSize) {
		err = fmt.Errorf("metadata of %s %s: it has %d bytes: raise max_record", f.what, d.name, size)
	} else {
		err = b.Reserve(ctx, int(size)+1)
	}
	if err != nil {
		b.Release()
		return err
	}
	writeMembers(b, []byte("{"), list, 0)
	b.Write([]byte("\n"))
	it := b.Item(f.key(d.name), pipeline.Position{Token: d.String()}, 0)
	it.Meta = &pipeline.Meta{ContentType: "application/json"}
	if err := pipeline.Send(ctx, out, it); err != nil {
		it.Release()
		return err
	}
	return nil
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// fetch asks the cluster for one thing, and gives the members of its document.
func (r *reader) fetch(ctx context.Context, d reference) ([]member, error) {
	request := forms[d.form].request(d.name)
	reply, err := r.client.Reply(ctx, request, r.metadataSize())
	if err != nil {
		return nil, err
	}
	if !json.Valid(reply) {
		return nil, fmt.Errorf("GET %s: the reply is no JSON", request.Path)
	}
	list, ok := forms[d.form].pick(reply, d.name)
	if !ok {
		return nil, fmt.Errorf("GET %s: it is not in the reply", request.Path)
	}
	return list, nil
}

// ofIndices is the documents of the indices themselves.
func (r *reader) ofIndices(s subject) (list []reference) {
	if !r.config.takes(takeIndices) {
		return nil
	}
	for _, name := range s.Indices {
		list = append(list, reference{formIndex, name})
	}
	return list
}

// foresee says what metadata there is, one finding a line, and tries to read
// one document of each form.
func (r *reader) foresee(ctx context.Context, found *found) (out []string, err error) {
	if !r.config.takes(takeData) {
		out = []string{fmt.Sprintf("indices: %d; no documents are taken", len(found.indices))}
	}
	s := about(found.indices)
	list, err := r.concerning(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	list = append(r.ofIndices(s), list...)
	count := map[int]int{}
	for _, d := range list {
		if count[d.form]++; count[d.form] > 1 {
			continue
		}
		if _, ferr := r.fetch(ctx, d); ferr != nil {
			err = errors.Join(err, fmt.Errorf("metadata of %s %s: %w", forms[d.form].what, d.name, ferr))
		}
	}
	for n, f := range forms {
		if count[n] > 0 {
			out = append(out, fmt.Sprintf("metadata: %d of {name}/%s (%s)", count[n], f.file, f.what))
		}
	}
	return out, err
}
