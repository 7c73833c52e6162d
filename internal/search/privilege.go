package search

import (
	"fmt"
	"net/http"
	"strings"
)

// privilege is what a user needs for a call, by engine.
type privilege struct {
	elastic    string
	open       string
	serverless string // Amazon OpenSearch Serverless: permission of the data access policy
}

const (
	esRead  = "the index privilege read"
	esMeta  = "the index privilege view_index_metadata"
	esWatch = "the cluster privilege monitor"

	aossRead  = "aoss:ReadDocument"
	aossMeta  = "aoss:DescribeIndex"
	aossWrite = "aoss:WriteDocument"
)

// privileges by method and what is asked for: what follows the first /_ of a
// path, or its beginning up to the next slash. No method: any.
var privileges = map[string]privilege{
	"":                            {esWatch, "cluster:monitor/main", aossMeta},
	"nodes":                       {esWatch, "cluster:monitor/nodes/info", ""},
	"cluster":                     {esWatch, "cluster:monitor/state and cluster:monitor/health", ""},
	"cat":                         {esWatch, "cluster:monitor/state and indices:monitor/stats", aossMeta},
	"tasks":                       {esWatch, "cluster:monitor/tasks/lists", ""},
	"search":                      {esRead, "indices:data/read/search", aossRead},
	"count":                       {esRead, "indices:data/read/search", aossRead},
	"search/scroll":               {esRead, "indices:data/read/scroll", aossRead},
	"DELETE search/scroll":        {esRead, "indices:data/read/scroll/clear", aossRead},
	"pit":                         {esRead, "indices:data/read/open_point_in_time", ""},
	"DELETE pit":                  {esRead, "indices:data/read/close_point_in_time", ""},
	"search/point_in_time":        {esRead, "indices:data/read/point_in_time/create", aossRead},
	"DELETE search/point_in_time": {esRead, "indices:data/read/point_in_time/delete", aossRead},
	"doc":                         {esRead, "indices:data/read/get", aossRead},
	"mget":                        {esRead, "indices:data/read/mget", aossRead},
	"settings":                    {esMeta, "indices:monitor/settings/get", aossMeta},
	"PUT settings":                {"the index privilege manage", "indices:admin/settings/update", "aoss:UpdateIndex"},
	"mapping":                     {esMeta, "indices:admin/mappings/get", aossMeta},
	"alias":                       {esMeta, "indices:admin/aliases/get", aossMeta},
	"aliases":                     {"the index privilege manage", "indices:admin/aliases", "aoss:UpdateCollectionItems"},
	"resolve":                     {esMeta, "indices:admin/resolve/index", aossMeta},
	"search_shards":               {esMeta, "indices:admin/shards/search_shards", ""},
	"data_stream":                 {esMeta, "indices:admin/data_stream/get", ""},
	"index":                       {esMeta, "indices:admin/get", aossMeta},
	"PUT index":                   {"the index privilege create_index", "indices:admin/create", "aoss:CreateIndex"},
	"DELETE index":                {"the index privilege delete_index", "indices:admin/delete", "aoss:DeleteIndex"},
	"index_template":              {"the cluster privilege manage_index_templates", "indices:admin/index_template/get", aossMeta},
	"component_template":          {"the cluster privilege manage_index_templates", "cluster:admin/component_template/get", ""},
	"template":                    {"the cluster privilege manage_index_templates", "indices:admin/template/get", ""},
	"ingest":                      {"the cluster privilege read_pipeline", "cluster:admin/ingest/pipeline/get", ""},
	"stats":                       {"the index privilege monitor", "indices:monitor/stats", ""},
	"refresh":                     {"the index privilege maintenance", "indices:admin/refresh", aossWrite},
	"bulk":                        {"the index privilege write (index or create are enough), and auto_configure where the index does not exist yet", "indices:data/write/bulk and indices:data/write/index, and indices:admin/create where the index does not exist yet", aossWrite + ", and aoss:CreateIndex where the index does not exist yet"},
}

// call is what a path asks for: search/scroll, settings, index; "" is the
// cluster itself. What is unknown is called by its first word.
func call(path string) string {
	index, call, found := strings.Cut(path, "/_")
	if !found && strings.Trim(index, "/") != "" {
		return "index"
	}
	if _, known := privileges[call]; known {
		return call
	}
	call, _, _ = strings.Cut(call, "/")
	return call
}

// needs finds the privilege for a call.
func needs(method, path string) privilege {
	what := call(path)
	if p, ok := privileges[method+" "+what]; ok {
		return p
	}
	return privileges[what]
}

// by says what an engine calls it; if it is not known which one it is, what
// both do. It is "" if that is not known.
func (p privilege) by(distribution string) string {
	switch {
	case p == privilege{}:
		return ""
	case distribution == "aoss":
		return p.serverless
	case distribution == "elasticsearch":
		return p.elastic
	case distribution == "opensearch":
		return p.open
	}
	return fmt.Sprintf("%s (Elasticsearch) or %s (OpenSearch)", p.elastic, p.open)
}

// refused says whether a status is about who asks.
func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// remedy says what to do about an answer, or "".
func (c *Client) remedy(e *Error, r Request, header http.Header) string {
	if e.Status == http.StatusProxyAuthRequired {
		return "proxy: " + proxyRemedy(e.Status)
	}
	if !refused(e.Status) {
		return ""
	}
	if c.aws != nil {
		if text := c.aws.remedy(e); text != "" {
			return text
		}
	}
	text := "the user lacks a permission"
	switch {
	case e.Status == http.StatusUnauthorized && len(c.ways) == 0:
		text = "the cluster wants credentials; give username and password, api_key, bearer or aws"
	case e.Status == http.StatusUnauthorized:
		text = "the cluster does not accept these credentials; check " + strings.Replace(c.ways[0], "username", "username and password", 1)
	case e.Type != "" && !strings.Contains(e.Type, "security") && c.aws == nil:
		return "" // a block of an index, or of what it is in
	}
	if need := needs(r.method(), r.Path).by(c.engine(header)); need != "" {
		text += "; this call needs " + need
	}
	return text
}

// engine says which one has answered: that of the headers, or the one that was
// found before.
func (c *Client) engine(header http.Header) string {
	if c.aws != nil && c.aws.Service == "aoss" {
		return "aoss"
	}
	if d, _ := product(header); d != "" {
		return d
	}
	found, _ := c.found.Load().(string)
	return found
}
