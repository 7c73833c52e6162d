package file_test

import (
	"slices"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/sources/file"
)

// TestMetadataComesInALaneOfItsOwnBeforeTheData: where the sink makes indices of
// it, and not else.
func TestMetadataComesInALaneOfItsOwnBeforeTheData(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a/0.json": "{}\n", "a/_index.json": "{}", "b/_index.json": "{}", "c/x_index.json": "{}", "z/_index_template.json": "{}",
	})
	s, err := (&file.Config{Path: dir}).Build(kind.Env{Makes: true})
	if err != nil {
		t.Fatal(err)
	}
	r, lanes := open(t, s, 3)
	if len(lanes) != 6 || !lanes[0].Aside || slices.ContainsFunc(lanes[1:], func(l pipeline.Lane) bool { return l.Aside }) {
		t.Fatalf("got lanes %+v, want one of metadata and one for each file", lanes)
	}
	for after, want := range map[string][]string{"": {"a/_index.json", "b/_index.json"}, "a/_index.json": {"b/_index.json"}} {
		var got []string
		for _, it := range read(t, r, lanes[0], pipeline.Position{Token: after}) {
			if it.Records != 0 || it.Body == nil {
				t.Errorf("%s: %d records, want none", it.Key, it.Records)
			}
			got = append(got, it.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %q: got %q, want %q", after, got, want)
		}
	}
	if _, lanes := open(t, build(t, dir), 3); len(lanes) != 5 {
		t.Errorf("got lanes %+v, want one for each file where nobody asks for metadata", lanes)
	}
	write(t, dir+"/none", map[string]string{"0": "{}\n"})
	s, _ = (&file.Config{Path: dir + "/none"}).Build(kind.Env{Makes: true})
	if _, lanes := open(t, s, 1); len(lanes) != 1 {
		t.Errorf("got lanes %+v, want one where there is no metadata", lanes)
	}
}
