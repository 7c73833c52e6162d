package search

import "strings"

// kept are the settings of an index that make it what it is, on any cluster; a
// name that ends with a dot stands for all below it. They are the settings that
// may be given when an index is created, as
// https://docs.opensearch.org/latest/install-and-configure/configuring-opensearch/index-settings/
// and https://www.elastic.co/docs/reference/elasticsearch/index-settings/ list
// them.
//
// Left out is what the engine sets itself and refuses (uuid, creation_date,
// provided_name, version, resize), and what belongs to the cluster and its
// operation: allocation, tiers, blocks, lifecycle, replication.type, slow logs,
// merging, the translog, caches, search pipelines. What is in neither list is
// left out too: a setting that an engine refuses would make all of the document
// worthless.
var kept = []string{
	"index.analysis.",
	"index.analyze.max_token_count",
	"index.auto_expand_replicas",
	"index.codec",
	"index.codec.compression_level",
	"index.default_pipeline",
	"index.derived_source.enabled",
	"index.final_pipeline",
	"index.hidden",
	"index.highlight.max_analyzed_offset",
	"index.knn",
	"index.mapping.",
	"index.max_docvalue_fields_search",
	"index.max_inner_result_window",
	"index.max_ngram_diff",
	"index.max_regex_length",
	"index.max_rescore_window",
	"index.max_result_window",
	"index.max_script_fields",
	"index.max_shingle_diff",
	"index.max_terms_count",
	"index.mode",
	"index.number_of_replicas",
	"index.number_of_routing_shards",
	"index.number_of_shards",
	"index.query.default_field",
	"index.refresh_interval",
	"index.routing_partition_size",
	"index.routing_path",
	"index.similarity.",
	"index.sort.",
	"index.time_series.end_time",
	"index.time_series.start_time",
}

// keeps says whether a setting, by its flat name, belongs to the metadata.
func keeps(setting string) bool {
	for _, k := range kept {
		if setting == k || strings.HasSuffix(k, ".") && strings.HasPrefix(setting, k) {
			return true
		}
	}
	return false
}
