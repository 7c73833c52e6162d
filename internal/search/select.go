package search

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Selection is what names, wildcards, aliases and data streams stand for.
type Selection struct {
	Indices []Index  // those that are open: by name, but those of a data stream in its order
	Closed  []string // indices that are closed
	Missing []string // names that do not exist
	Notes   []string // what may not be expected of aliases, for people

	plain, dotted []string // what was asked for and exists, and the wildcards of it that begin with a dot
}

// Select finds out what patterns (names, wildcards, aliases, data streams)
// stand for, without what exclude (the same) matches.
//
// A wildcard stands for what is hidden, or whose name begins with a dot, only
// if it begins with a dot itself. What an alias stands for is read as through
// the alias: if it has a filter, only what the filter matches, unless the index
// is also meant by its own name, its data stream, a wildcard, or an alias that
// has none.
func (c *Client) Select(ctx context.Context, patterns, exclude []string) (*Selection, error) {
	s := &selector{Client: c, not: wildcards(exclude), known: newCatalog(), asked: map[string]bool{}, meant: map[string]*meaning{}, out: &Selection{}}
	for _, p := range names(patterns) {
		if p == "_all" {
			p = "*"
		}
		if strings.HasPrefix(p, ".") && strings.Contains(p, "*") {
			s.out.dotted = append(s.out.dotted, p)
		} else {
			s.out.plain = append(s.out.plain, p)
		}
	}
	err := c.resolve(ctx, s.known, s.out.plain, false)
	if err == nil {
		err = c.resolve(ctx, s.known, s.out.dotted, true)
	}
	if err == nil {
		err = s.follow(ctx, s.match())
	}
	if err == nil {
		err = s.finish(ctx)
	}
	return s.out, err
}

// Requests are requests that ask the same of all that was asked for and
// exists: few, however many indices that are. The names are in the path between
// prefix and suffix. They are answered for closed and excluded indices too.
func (s *Selection) Requests(prefix, suffix string, query url.Values) (list []Request) {
	add := func(names []string, hidden bool) {
		for part := range Lists(names) {
			q := expand(hidden)
			maps.Copy(q, query)
			list = append(list, Request{Path: prefix + Path(part) + suffix, Query: q})
		}
	}
	add(s.plain, false)
	add(s.dotted, true)
	return list
}

// selector makes a selection.
type selector struct {
	*Client
	not   *regexp.Regexp
	known *catalog
	asked map[string]bool     // by their own names
	meant map[string]*meaning // by name of the index
	out   *Selection
}

// meaning is in which ways an index was asked for.
type meaning struct {
	whole   bool     // in one that has no filter
	filters []string // of the others
	stream  string   // the data stream it was asked for by; ""
	place   int      // in it
}

// match gives what was asked for, and notes what of it does not exist.
func (s *selector) match() (found []string) {
	var open []string // wildcards that stand for nothing that is hidden
	exists := s.out.plain[:0]
	for _, p := range s.out.plain {
		switch {
		case strings.Contains(p, "*"):
			open = append(open, p)
		case s.known.known(p):
			s.asked[p] = true
		default:
			if !s.not.MatchString(p) && !slices.Contains(s.out.Missing, p) {
				s.out.Missing = append(s.out.Missing, p)
			}
			continue
		}
		exists = append(exists, p)
	}
	s.out.plain = exists
	plain, dotted := wildcards(open), wildcards(s.out.dotted)
	for _, name := range s.known.names() {
		dot := strings.HasPrefix(name, ".")
		if !s.not.MatchString(name) && (s.asked[name] || !dot && plain.MatchString(name) || dot && dotted.MatchString(name)) {
			found = append(found, name)
		}
	}
	return found
}

// follow finds the indices that were asked for, through aliases and data
// streams.
func (s *selector) follow(ctx context.Context, found []string) error {
	var aliases []string
	for _, name := range found {
		if s.known.aliases[name] != nil {
			aliases = append(aliases, name)
			continue
		}
		s.take(name, "")
	}
	uses, err := s.uses(ctx, aliases)
	if err != nil {
		return err
	}
	if err := s.lookUp(ctx, aliases); err != nil {
		return err
	}
	for _, a := range aliases {
		if err := s.through(a, uses[a]); err != nil {
			return err
		}
	}
	return nil
}

// through takes what an alias stands for.
func (s *selector) through(alias string, uses map[string]use) error {
	filtered, routed := map[string][]string{}, map[string][]string{} // what it stands for, by filter, by routing
	for _, target := range s.known.aliases[alias] {
		u, ok := uses[target]
		if !ok { // of an alias of data streams, some engines name the indices
			u, ok = uses[s.known.stream[target]]
		}
		if !ok {
			return fmt.Errorf("alias %s: the cluster does not say how it stands for %s", alias, target)
		}
		filter, err := compact(u.Filter)
		if err != nil {
			return fmt.Errorf("alias %s: filter for %s: %w", alias, target, err)
		}
		s.take(target, filter)
		filtered[filter] = append(filtered[filter], target)
		routed[u.Routing] = append(routed[u.Routing], target)
	}
	delete(filtered, "")
	delete(routed, "")
	for _, filter := range slices.Sorted(maps.Keys(filtered)) {
		s.note("alias %s: its filter %s applies to %s", alias, filter, List(filtered[filter]))
	}
	for _, routing := range slices.Sorted(maps.Keys(routed)) {
		s.note("alias %s: its routing %q is not looked at: every shard is read of %s", alias, routing, List(routed[routing]))
	}
	return nil
}

// lookUp makes known what aliases and data streams stand for.
func (s *selector) lookUp(ctx context.Context, aliases []string) error {
	var names []string
	for _, a := range aliases {
		names = append(names, s.known.aliases[a]...)
	}
	for range 2 { // an alias may stand for data streams, and they for indices
		for _, list := range s.known.streams {
			names = append(names, list...)
		}
		slices.Sort(names)
		unknown := slices.DeleteFunc(slices.Compact(names), s.known.known)
		if err := s.resolve(ctx, s.known, unknown, false); err != nil {
			return err
		}
		names = nil
	}
	return nil
}

// take notes that an index, or those of a data stream, are asked for.
func (s *selector) take(name, filter string) {
	list, stream := s.known.streams[name], name
	if list == nil {
		list, stream = []string{name}, ""
	}
	for place, index := range list {
		if s.not.MatchString(index) || s.not.MatchString(name) {
			continue
		}
		m := s.meant[index]
		if m == nil {
			m = &meaning{}
			s.meant[index] = m
		}
		m.whole = m.whole || filter == ""
		if filter != "" && !slices.Contains(m.filters, filter) {
			m.filters = append(m.filters, filter)
		}
		if stream != "" {
			m.stream, m.place = stream, place
		}
	}
}

// finish makes the selection of what was asked for.
func (s *selector) finish(ctx context.Context) error {
	order := slices.SortedFunc(maps.Keys(s.meant), func(a, b string) int {
		x, y := s.meant[a], s.meant[b]
		return cmp.Or(cmp.Compare(cmp.Or(x.stream, a), cmp.Or(y.stream, b)), cmp.Compare(x.place, y.place), cmp.Compare(a, b))
	})
	settings, err := s.settings(ctx, s.out.Requests("", "/_settings", nil))
	if err != nil {
		return err
	}
	var whole []string
	for _, name := range order {
		i, ok := settings[name]
		m := s.meant[name]
		switch {
		case s.known.closed[name]:
			s.out.Closed = append(s.out.Closed, name)
			continue
		case !ok: // it was there a moment ago
			if s.asked[name] {
				s.out.Missing = append(s.out.Missing, name)
			}
			continue
		case m.whole && len(m.filters) > 0:
			whole = append(whole, name)
		case !m.whole:
			i.Filter = anyOf(m.filters)
		}
		s.out.Indices = append(s.out.Indices, i)
	}
	if len(whole) > 0 {
		s.note("read whole, because they are asked for in another way too than by an alias with a filter: %s", List(whole))
	}
	return nil
}

func (s *selector) note(format string, args ...any) {
	s.out.Notes = append(s.out.Notes, fmt.Sprintf(format, args...))
}

// anyOf is a query that matches what one of the queries does.
func anyOf(queries []string) string {
	if len(queries) == 1 {
		return queries[0]
	}
	slices.Sort(queries)
	return `{"bool":{"should":[` + strings.Join(queries, ",") + `],"minimum_should_match":1}}`
}

func compact(raw json.RawMessage) (string, error) {
	var b bytes.Buffer
	if len(raw) == 0 {
		return "", nil
	}
	err := json.Compact(&b, raw)
	return b.String(), err
}

// List gives names for people: all, or the first of very many.
func List(names []string) string {
	const most = 1000
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
