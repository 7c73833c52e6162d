package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// searchBody takes --searchBody apart: a query, and which fields are read.
func (c *command) searchBody(m *mapping) error {
	body := c.text("searchBody")
	if body == "" {
		return nil
	}
	if c.given("searchWithTemplate") {
		c.plan.note("--searchBody: it has the parameters of a template; %s", queryAlone)
		return nil
	}
	raw := []byte(body)
	if name, ok := strings.CutPrefix(body, "@"); ok {
		text, err := c.file("searchBody", name)
		if err != nil {
			return err
		}
		raw = text
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return errors.New("--searchBody is no JSON object")
	}
	for _, name := range slices.Sorted(keysOf(members)) {
		value := compact(members[name])
		switch {
		case name == "query":
			if value != `{"match_all":{}}` {
				m.set("query", value)
			}
		case name == "_source":
			c.fields(m, members[name])
		case name == "stored_fields" && value == `["*"]` || name == "track_total_hits":
		case name == "size" || name == "sort":
			c.say(true, "--searchBody: "+name+" is left out: every document is read, in the order in which shards give them")
		default:
			c.plan.note("--searchBody: %s is left out; only query and _source have a counterpart", name)
		}
	}
	return nil
}

// fields is which fields of documents are read.
func (c *command) fields(m *mapping, raw json.RawMessage) {
	var (
		all   bool
		one   string
		list  []string
		sides struct {
			Includes, Include, Excludes, Exclude []string
		}
	)
	fields := mapping{}
	switch {
	case json.Unmarshal(raw, &all) == nil && all:
	case json.Unmarshal(raw, &one) == nil && !bytes.HasPrefix(raw, []byte("false")):
		fields.set("include", one)
	case json.Unmarshal(raw, &list) == nil:
		fields.set("include", list)
	case json.Unmarshal(raw, &sides) == nil:
		fields.set("include", append(sides.Includes, sides.Include...))
		fields.set("exclude", append(sides.Excludes, sides.Exclude...))
	default:
		c.plan.note("--searchBody: _source is left out, and all of each document is read")
	}
	m.set("fields", fields)
}

// compact is JSON without blanks.
func compact(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return string(raw)
	}
	return out.String()
}
