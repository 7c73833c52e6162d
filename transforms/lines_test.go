package transforms_test

import (
	"context"
	"testing"

	"sluice/pipeline"
	"sluice/transforms"
)

func TestLinesLeaveOutMetadataUnlessToldToSplitIt(t *testing.T) {
	for metadata, want := range map[string]bool{"skip": true, "": true, "split": false} {
		tr, err := (&transforms.Lines{Metadata: metadata}).Build(env)
		if err != nil {
			t.Fatal(err)
		}
		skip := tr.(pipeline.Lines).Skip
		for key, skipped := range map[string]bool{"logs/i/_index.json": want, "logs/i/0.json": false} {
			if got := skip != nil && skip(context.Background(), &pipeline.Item{Key: key}); got != skipped {
				t.Errorf("metadata: %q: %s: got skipped %v, want %v", metadata, key, got, skipped)
			}
		}
	}
}
