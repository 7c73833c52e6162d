package file_test

import (
	"testing"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/file"
)

func TestDocumentsLieBesideTheData(t *testing.T) {
	dir := t.TempDir()
	pipelinetest.TestAside(t, pipelinetest.AsideCase{
		Prefix: "logs/",
		Open: func(t *testing.T) pipeline.Sink {
			c := &file.Config{Path: dir, Key: "logs/{index}/{lane}/{pass}-{sequence}.gz", Overwrite: roll.Own}
			s, err := c.Build(kind.Env{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Objects: func(t *testing.T) map[string]string { return below(t, dir) },
	})
}

func TestStandardOutputTakesNoMetadata(t *testing.T) {
	if p := new(file.Stdout).Takes(kind.Metadata); p == nil {
		t.Error("got no problem, want one: documents would stand between records")
	}
}
