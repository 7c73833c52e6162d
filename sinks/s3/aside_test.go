package s3_test

import (
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestDocumentsLieBesideTheData(t *testing.T) {
	b := objectstest.New(t)
	pipelinetest.TestAside(t, pipelinetest.AsideCase{
		Prefix: "to/logs/",
		Open: func(t *testing.T) pipeline.Sink {
			c := options(b, "", "logs/{index}/{lane}/{pass}-{sequence}.gz")
			c.Prefix = "to/"
			s, err := c.Build(kind.Env{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Objects: func(*testing.T) map[string]string { return b.Objects() },
	})
}
