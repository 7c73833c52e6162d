package transforms_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"sluice/pipeline"
	"sluice/transforms"
)

// BenchmarkLines splits records of about 700 bytes toward an index. One op is
// one record.
func BenchmarkLines(b *testing.B) {
	document := bytes.Repeat([]byte("x"), 650)
	for name, line := range map[string]string{
		"envelopes": `{"_index":"i","_id":"000000000001","_source":{"a":"` + string(document) + `"}}` + "\n",
		"documents": `{"message":"` + string(document) + `"}` + "\n",
		"pairs":     `{"index":{"_index":"i","_id":"000000000001"}}` + "\n" + `{"a":"` + string(document) + `"}` + "\n",
	} {
		for _, pairs := range []string{"auto", "no"} {
			b.Run(fmt.Sprintf("%s/pairs=%s", name, pairs), func(b *testing.B) {
				e := env
				e.Target = index{}
				tr, err := (&transforms.Lines{Pairs: pairs}).Build(e)
				if err != nil {
					b.Fatal(err)
				}
				in, out := make(chan *pipeline.Item, 1), make(chan *pipeline.Item, 1)
				some := bytes.Repeat([]byte(line), 1000)
				in <- &pipeline.Item{Key: "k", Size: -1, Records: -1, Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
					return io.NopCloser(&again{some, b.N * len(line), 0}), nil
				})}
				close(in)
				done := make(chan error, 1)
				b.SetBytes(int64(len(line)))
				b.ResetTimer()
				go func() { defer close(out); done <- tr.Run(b.Context(), in, out) }()
				for it := range out {
					it.Release()
				}
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// again reads text again and again, n bytes in all.
type again struct {
	text  []byte
	n, at int
}

func (r *again) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.text[r.at:])
	r.n, r.at = r.n-n, (r.at+n)%len(r.text)
	return n, nil
}
