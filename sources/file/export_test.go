package file

import "sluice/pipeline"

// WithBatch makes a source keep so many names of a directory in memory.
func WithBatch(s pipeline.Source, n int) pipeline.Source {
	s.(*source).batch = n
	return s
}
