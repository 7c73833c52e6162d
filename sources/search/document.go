package search

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/keys"
	cluster "sluice/internal/search"
)

// form is a kind of document, in which the metadata lane gives one thing.
type form struct {
	take string // the option it belongs to
	what string // for people
	file string // last segment of its key
	path string // at the cluster, before the name
	pick func(reply []byte, name string) (document []member, ok bool)
}

// Places in forms, in the order in which the lane gives documents.
const (
	formIndex = iota
	formStream
	formIndexTemplate
	formLegacyTemplate
	formComponentTemplate
	formPipeline
)

// forms are all there are.
var forms = []form{
	{takeIndices, "index", keys.Index, "", index},
	{takeStreams, "data stream", keys.DataStream, "/_data_stream", stream},
	{takeTemplates, "index template", keys.IndexTemplate, "/_index_template", listed("index_templates", "index_template")},
	{takeTemplates, "legacy template", keys.LegacyTemplate, "/_template", byName},
	{takeTemplates, "component template", keys.ComponentTemplate, "/_component_template", listed("component_templates", "component_template")},
	{takePipelines, "ingest pipeline", keys.IngestPipeline, "/_ingest/pipeline", byName},
}

// request asks for the thing of a name.
func (f form) request(name string) cluster.Request {
	r := cluster.Request{Path: f.path + cluster.Path(name)}
	if f.file == keys.Index {
		r.Query = url.Values{"flat_settings": {"true"}}
	}
	return r
}

// key is that of the item. Indices have no names that would not do in a key.
func (f form) key(name string) string {
	if f.file != keys.Index {
		name = strings.NewReplacer("%", "%25", "/", "%2F").Replace(name)
	}
	return name + "/" + f.file
}

// get is the value of a key in an object.
func get(object []byte, key string) (value []byte, ok bool) {
	for _, m := range children(object) {
		if is(m.key, key) {
			return m.value, true
		}
	}
	return nil, false
}

// is compares a string in JSON with another.
func is(raw []byte, s string) bool { return unquoted(raw) == s }

// unquoted is a string in JSON; "" if it is none.
func unquoted(raw []byte) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// index is what PUT takes: settings by allow-list, mappings, aliases.
func index(reply []byte, name string) (document []member, ok bool) {
	all, ok := get(reply, name)
	if !ok {
		return nil, false
	}
	for _, m := range children(all) {
		switch unquoted(m.key) {
		case "settings":
			m.value = without(m.value, func(key string) bool { return !keeps(key) })
		case "mappings", "aliases":
		default:
			continue
		}
		document = append(document, m)
	}
	return document, true
}

// without is an object without some of its members.
func without(object []byte, out func(key string) bool) []byte {
	kept := []byte{'{'}
	for _, m := range children(object) {
		if out(unquoted(m.key)) {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(kept, m.key...), ':'), m.value...)
	}
	return append(kept, '}')
}

// stream is what a data stream is: its generation and the names of its indices
// are there to be read, its health and the UUIDs are not.
func stream(reply []byte, name string) (document []member, ok bool) {
	all, ok := element(reply, "data_streams", name)
	for _, m := range children(all) {
		switch unquoted(m.key) {
		case "indices":
			m.value = indexNames(m.value)
		case "name", "timestamp_field", "generation", "template", "_meta", "lifecycle", "hidden", "allow_custom_routing":
		default:
			continue
		}
		document = append(document, m)
	}
	return document, ok
}

// indexNames makes a list of names of the indices of a data stream.
func indexNames(list []byte) []byte {
	names := []byte{'['}
	for i, m := range children(list) {
		if i > 0 {
			names = append(names, ',')
		}
		name, _ := get(m.value, "index_name")
		names = append(names, name...)
	}
	return append(names, ']')
}

// element finds the element of a name in the list that a reply has.
func element(reply []byte, list, name string) (value []byte, ok bool) {
	all, _ := get(reply, list)
	for _, m := range children(all) {
		if n, _ := get(m.value, "name"); is(n, name) {
			return m.value, true
		}
	}
	return nil, false
}

// listed picks from replies that are lists of things in a list.
func listed(list, thing string) func(reply []byte, name string) ([]member, bool) {
	return func(reply []byte, name string) ([]member, bool) {
		e, _ := element(reply, list, name)
		value, ok := get(e, thing)
		return undated(value), ok
	}
}

// byName picks from replies that are objects of things by their names.
func byName(reply []byte, name string) ([]member, bool) {
	value, ok := get(reply, name)
	return undated(value), ok
}

// undated leaves out when something was made and changed: PUT refuses it.
func undated(object []byte) []member {
	dates := []string{"created_date", "created_date_millis", "modified_date", "modified_date_millis"}
	return slices.DeleteFunc(children(object), func(m member) bool { return slices.Contains(dates, unquoted(m.key)) })
}
