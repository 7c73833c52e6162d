package servers_test

import (
	"strings"
	"testing"

	"sluice/test/servers"
)

func TestEnginesAreFoundByName(t *testing.T) {
	for list, want := range map[string]string{
		"all":                             "OpenSearch 3.8.0, OpenSearch 2.19.1, OpenSearch 1.3.13, Elasticsearch 9.2.4, Elasticsearch 8.19.14, Elasticsearch 7.17.29, Elasticsearch 7.10.2",
		"elasticsearch-7.10,opensearch-3": "Elasticsearch 7.10.2, OpenSearch 3.8.0",
	} {
		found, err := servers.FindEngines(list)
		var names []string
		for _, e := range found {
			names = append(names, e.String())
		}
		if got := strings.Join(names, ", "); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", list, got, err, want)
		}
	}
	if got, err := servers.FindEngines("opensearch-4"); err == nil || !strings.Contains(err.Error(), "elasticsearch-9") {
		t.Errorf("got %v, %v, want an error that names the engines", got, err)
	}
}

func TestTheEnvironmentSaysWhichEngineTheTestsAreFor(t *testing.T) {
	t.Setenv("SLUICE_TEST_SEARCH", "elasticsearch-9=http://h:1/?a=b")
	t.Setenv("SLUICE_TEST_OPENSEARCH", "http://other")
	if c := servers.Search(t); c.String() != "Elasticsearch 9.2.4" || c.URL != "http://h:1/?a=b" || c.PointInTime() != "/_pit" {
		t.Errorf("got %v at %s with %q, want Elasticsearch 9", c, c.URL, c.PointInTime())
	}
	t.Setenv("SLUICE_TEST_SEARCH", "")
	if c := servers.Search(t); c.String() != "OpenSearch 3.8.0" || c.URL != "http://other" {
		t.Errorf("got %v at %s, want OpenSearch 3", c, c.URL)
	}
}
