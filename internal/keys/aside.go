package keys

import (
	"fmt"
	"path"
	"slices"
)

// The last segments of the keys of metadata. The one before it is a name at the
// cluster, escaped as in an address: logs-1/_index.json.
const (
	Index             = "_index.json"
	DataStream        = "_data_stream.json"
	IndexTemplate     = "_index_template.json"
	LegacyTemplate    = "_template.json"
	ComponentTemplate = "_component_template.json"
	IngestPipeline    = "_ingest_pipeline.json"
)

// Manifest is the last segment of the key of a manifest, which is no data either.
const Manifest = "_manifest.ndjson"

// MetadataLane is the name of the lane of a source that gives metadata: no index
// and no part of a bucket or directory has one like it.
const MetadataLane = "_metadata"

// IsMetadata says whether an object is metadata or a manifest, by its key.
func IsMetadata(key string) bool {
	list := []string{Index, DataStream, IndexTemplate, LegacyTemplate, ComponentTemplate, IngestPipeline, Manifest}
	return slices.Contains(list, path.Base(key))
}

// Literal is the text before the first field.
func (t *Template) Literal() string {
	if len(t.parts) == 0 || t.parts[0].field != "" {
		return ""
	}
	return t.parts[0].text
}

// Aside returns the key of what lies beside the data (see [pipeline.Lane]): the
// text before the first field and, as it is, the key of the item.
func (t *Template) Aside(item string) (string, error) {
	if _, err := t.value(part{field: "key"}, Values{Key: item}); err != nil {
		return "", err
	}
	key := t.Literal() + item
	if err := t.clean(key); err != nil {
		return "", fmt.Errorf("%q: %w", key, err)
	}
	return key, nil
}
