package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// Fields is the options that choose fields of documents.
type Fields struct {
	Include []string `yaml:"include" doc:"Fields to read, names or wildcards; if there is none: all."`
	Exclude []string `yaml:"exclude" doc:"Fields to leave out, names or wildcards."`
}

// member is what chooses the fields in a request, after other members; "" for
// all of them.
func (f Fields) member() string {
	source := map[string][]string{}
	if len(f.Include) > 0 {
		source["includes"] = f.Include
	}
	if len(f.Exclude) > 0 {
		source["excludes"] = f.Exclude
	}
	if len(source) == 0 {
		return ""
	}
	text, _ := json.Marshal(source) // strings cannot fail
	return `,"_source":` + string(text)
}

// both is the query for documents that the query and the filter match.
func both(query, filter string) string {
	if filter == "" {
		return query
	}
	return `{"bool":{"filter":[` + query + `,` + filter + `]}}`
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

// digestWith is the digest for an index of which only a part is read.
func (s *Source) digestWith(filter string) string {
	if filter == "" {
		return s.digest
	}
	return digest(s.digest, filter)
}

// findIndices finds out which indices there are, and what is to be known of
// them beforehand.
func (r *reader) findIndices(ctx context.Context, f *found) (err error) {
	if f.selection, err = r.client.Select(ctx, r.config.Index, r.config.Exclude); err != nil {
		return err
	}
	f.indices = f.selection.Indices
	if err = r.complete(f.selection); err != nil {
		return err
	}
	if f.warnings, err = r.verbatim(ctx, f.selection); err != nil {
		return err
	}
	if r.config.Fields.member() != "" {
		f.warnings = append(f.warnings, "fields: only some fields of documents are read, and the cluster writes what it gives of them anew: numbers, escapes and blanks may look different")
	}
	if f.red, err = r.red(ctx, f.selection); err != nil {
		return err
	}
	return r.try(ctx, f)
}

// complete says whether all that was asked for can be read, but for what the
// user does not mind.
func (r *reader) complete(s *cluster.Selection) error {
	var bad, kinds []string
	for _, b := range []struct {
		kind  string
		names []string
	}{{"closed", s.Closed}, {"missing", s.Missing}} {
		if len(b.names) > 0 && !slices.Contains(r.config.Ignore, b.kind) {
			bad = append(bad, b.kind+": "+cluster.List(b.names))
			kinds = append(kinds, b.kind)
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("not all of %q can be read: %s; name them in exclude, or say ignore: [%s]", r.config.Index, strings.Join(bad, "; "), strings.Join(kinds, ", "))
	}
	if len(s.Indices) == 0 {
		return fmt.Errorf("no open index matches %q without %q", r.config.Index, r.config.Exclude)
	}
	return nil
}

// ignored is what is left out because the user does not mind.
func ignored(s *cluster.Selection) (list []string) {
	if len(s.Closed) > 0 {
		list = append(list, "left out, because they are closed: "+cluster.List(s.Closed))
	}
	if len(s.Missing) > 0 {
		list = append(list, "left out, because they do not exist: "+cluster.List(s.Missing))
	}
	return list
}

// announce says in the log what a user may not expect.
func (r *reader) announce(ctx context.Context, f *found) {
	log := pipeline.Logger(ctx)
	if s := f.selection; len(s.Closed)+len(s.Missing) > 0 {
		log.Info("left out as ignore says", "closed", s.Closed, "missing", s.Missing)
	}
	for _, n := range f.selection.Notes {
		log.Info("read through an alias", "finding", n)
	}
	for _, s := range f.sick() {
		log.Warn("not all shards can be read now", "finding", s)
	}
	if w := r.moving(f.selection); w != "" {
		log.Warn("the query changes while it is read", "finding", w)
	}
}

// now is a date in a query that moves on from page to page.
var now = regexp.MustCompile(`"now([-+][^"/]*)?"`)

// moving warns of such a date, or is "".
func (r *reader) moving(s *cluster.Selection) string {
	moves := now.MatchString(r.query) || slices.ContainsFunc(s.Indices, func(i cluster.Index) bool { return now.MatchString(i.Filter) })
	if !moves {
		return ""
	}
	return "query: now is another moment for each page, so a snapshot may give another number of documents than it had, which fails; round it, as now-30d/d"
}

// try sends the query, so that what is wrong with it is said once, before
// anything is read. Where all documents are asked for, some indices are enough
// to see whether they may be searched.
func (r *reader) try(ctx context.Context, f *found) error {
	var names []string
	for _, i := range f.indices {
		if f.red[i.Name] == nil {
			names = append(names, i.Name)
		}
	}
	for part := range cluster.Lists(names) {
		err := r.client.CallOnce(ctx, cluster.Request{
			Path:  cluster.Path(part) + "/_search",
			Query: url.Values{"allow_partial_search_results": {"false"}},
			Body:  fmt.Appendf(nil, `{"size":0,"track_total_hits":false,"terminate_after":1,"query":%s%s}`, r.query, r.config.Fields.member()),
		}, nil)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case refused(err) && r.config.Query != "":
			return fmt.Errorf("query: %w", cluster.AsError(err))
		case refused(err):
			return err
		case err != nil:
			pipeline.Logger(ctx).Warn("the query could not be tried", "error", err)
		}
		if r.config.Query == "" {
			return nil
		}
	}
	return nil
}

// refused says whether a request would be refused again.
func refused(err error) bool {
	a := cluster.AsError(err)
	return a != nil && a.Status < http.StatusInternalServerError && a.Status != http.StatusTooManyRequests
}
