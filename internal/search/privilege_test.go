package search_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/search"
)

func TestCallsNeedPrivileges(t *testing.T) {
	for call, want := range map[string][2]string{ // by Elasticsearch, by OpenSearch
		"GET /":                              {"cluster privilege monitor", "cluster:monitor/main"},
		"GET /_nodes/_local":                 {"cluster privilege monitor", "cluster:monitor/nodes/info"},
		"GET /_cluster/health":               {"cluster privilege monitor", "cluster:monitor/"},
		"GET /logs-%2A/_settings":            {"view_index_metadata", "indices:monitor/settings/get"},
		"GET /a%2Cb/_mapping":                {"view_index_metadata", "indices:admin/mappings/get"},
		"GET /_data_stream/x":                {"view_index_metadata", "indices:admin/data_stream/get"},
		"GET /_resolve/index/x%2A":           {"view_index_metadata", "indices:admin/resolve/index"},
		"GET /x":                             {"view_index_metadata", "indices:admin/get"},
		"GET /x/_stats":                      {"index privilege monitor", "indices:monitor/stats"},
		"GET /x/_stats/docs":                 {"index privilege monitor", "indices:monitor/stats"},
		"POST /x/_refresh":                   {"maintenance", "indices:admin/refresh"},
		"POST /_search":                      {"privilege read", "indices:data/read/search"},
		"POST /x/_search":                    {"privilege read", "indices:data/read/search"},
		"GET /x/_count":                      {"privilege read", "indices:data/read/search"},
		"POST /_search/scroll":               {"privilege read", "indices:data/read/scroll"},
		"DELETE /_search/scroll":             {"privilege read", "indices:data/read/scroll/clear"},
		"POST /x/_pit":                       {"privilege read", "open_point_in_time"},
		"POST /x/_search/point_in_time":      {"privilege read", "indices:data/read/point_in_time/create"},
		"DELETE /_search/point_in_time":      {"privilege read", "indices:data/read/point_in_time/delete"},
		"GET /x/_doc/1":                      {"privilege read", "indices:data/read/get"},
		"POST /_bulk":                        {"privilege write", "indices:data/write/bulk"},
		"PUT /x":                             {"create_index", "indices:admin/create"},
		"GET /_something_new_and_unheard_of": {"", ""},
	} {
		method, path, _ := strings.Cut(call, " ")
		for i, engine := range []string{"elasticsearch", "opensearch"} {
			if got := search.Needs(method, path, engine); !strings.Contains(got, want[i]) || (got == "") != (want[i] == "") {
				t.Errorf("%s: got %q of %s, want %q", call, got, engine, want[i])
			}
		}
	}
}

func TestRefusalsNameThePrivilegeInTheWordsOfTheEngine(t *testing.T) {
	status := http.StatusForbidden
	header := ""
	url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			io.WriteString(w, `{"version":{"number":"2.19.0","distribution":"opensearch"}}`)
			return
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, `{"error":{"type":"security_exception","reason":"no"}}`)
	})
	cfg := to(url)
	cfg.Username, cfg.Password = "u", "hidden"
	c := client(t, cfg)
	refusal := func(path string) string {
		err := c.CallOnce(t.Context(), search.Request{Path: path}, nil)
		if err == nil {
			t.Fatal("got no error")
		}
		return err.Error()
	}
	for _, x := range []struct {
		status       int
		header, path string
		learn        bool
		want         string
	}{
		{403, "", "/x/_stats", false, "security_exception: no: the user lacks a permission; this call needs the index privilege monitor (Elasticsearch) or indices:monitor/stats (OpenSearch)"},
		{403, "X-Elastic-Product: Elasticsearch", "/x/_stats", false, "the user lacks a permission; this call needs the index privilege monitor"},
		{403, "", "/x/_stats", true, "the user lacks a permission; this call needs indices:monitor/stats"},
		{401, "", "/x/_search", false, "the cluster does not accept these credentials; check username and password; this call needs indices:data/read/search"},
		{403, "", "/_unheard_of", false, "the user lacks a permission"},
	} {
		if status, header = x.status, x.header; x.learn {
			if _, err := c.Engine(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := refusal(x.path); !strings.HasSuffix(got, x.want) {
			t.Errorf("%d of %s: got %q, want …%q", x.status, x.path, got, x.want)
		}
	}
}
