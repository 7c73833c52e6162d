package test

import (
	"fmt"
	"slices"
	"strings"
)

// stage is a kind and its options in YAML flow style. Of options that are given
// twice, the last one counts.
func stage(kind string, options ...string) string {
	for i := len(options) - 1; i >= 0; i-- {
		name, _, _ := strings.Cut(options[i], ":")
		given := func(o string) bool { return strings.HasPrefix(o, name+":") }
		if slices.ContainsFunc(options[i+1:], given) {
			options = slices.Delete(options, i, i+1)
		}
	}
	return fmt.Sprintf("{%s: {%s}}", kind, strings.Join(options, ", "))
}

// s3Stage is an s3 stage on the bucket, seen at endpoint.
func (b *bucket) stage(endpoint string, options ...string) string {
	return stage("s3", append([]string{"bucket: " + b.name, "endpoint: " + endpoint, "region: " + b.store.Region,
		"access_key: " + b.store.AccessKey, "secret_key: " + b.store.SecretKey, "retry: 20s"}, options...)...)
}

// searchStage is an opensearch stage.
func searchStage(url, index string, options ...string) string {
	return stage("opensearch", append([]string{fmt.Sprintf("url: %q", url), fmt.Sprintf("index: %q", index), "retry: 20s"}, options...)...)
}

// pipelines is a whole configuration.
func pipelines(p ...string) string {
	return "state: ./state\npipelines:\n" + strings.Join(p, "")
}

// dump takes an index to gzip objects.
func dump(name, source, sink string, more ...string) string {
	return entry(name, source, "[{gzip: {}}]", sink, more...)
}

// load takes objects to an index.
func load(name, source, sink string, more ...string) string {
	return entry(name, source, "[{decompress: {}}, {lines: {}}]", sink, more...)
}

func entry(name, source, transforms, sink string, more ...string) string {
	s := fmt.Sprintf("  %s:\n    source: %s\n    transforms: %s\n    sink: %s\n", name, source, transforms, sink)
	for _, m := range more {
		s += "    " + m + "\n"
	}
	return s
}
