package transforms_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// FuzzExpand gives any bytes to each transform that expands. What one gives
// without an error is what another decoder gives; the same bytes give the same,
// however they are read, and from every mark on.
func FuzzExpand(f *testing.F) {
	for _, file := range files(f) {
		f.Add(file.b)
	}
	f.Add([]byte("hello\n"))
	f.Add([]byte{})
	f.Add(append(one(f, gz(1), records(1)), 0, 0, 0))
	f.Add([]byte("\x50\x2a\x4d\x18\x01\x00\x00\x00x\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"))
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, k := range map[string]kind.Transform{"gunzip": gunzip(), "unzstd": unzstd(), "decompress": decompress()} {
			got, err := expand(t, k, "k", b, int64(len(b)))
			small := pass(t, build(t, k), item("k", bytesBody{b: b, small: 1}, -1))[0].Body
			if again, aerr := read(t, small); (err == nil) != (aerr == nil) || err == nil && !bytes.Equal(got, again) {
				t.Fatalf("%s: %d bytes, %v; by small reads %d, %v", name, len(got), err, len(again), aerr)
			}
			if err != nil {
				continue
			}
			var other []byte
			switch name {
			case "gunzip":
				r, err := stdgzip.NewReader(bytes.NewReader(bytes.TrimRight(b, "\x00")))
				if err == nil {
					other, err = io.ReadAll(r)
				}
				if err != nil && !bytes.HasSuffix(b, []byte{0}) { // a member may end with zeros
					t.Fatalf("gunzip: %d bytes, other: %v", len(got), err)
				} else if err != nil {
					continue
				}
			case "unzstd":
				if other, err = d.DecodeAll(b, nil); err != nil {
					t.Fatalf("unzstd: %d bytes, other: %v", len(got), err)
				}
			default:
				continue
			}
			if !bytes.Equal(got, other) {
				t.Fatalf("%s: got %d bytes, other %d", name, len(got), len(other))
			}
			entered(t, pass(t, build(t, k), item("k", bytesBody{b: b}, int64(len(b))))[0].Body, got)
		}
	})
}

// entered enters a body at every mark.
func entered(t *testing.T, b pipeline.Body, want []byte) {
	t.Helper()
	r, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for buf := make([]byte, 100); ; {
		_, err := r.Read(buf)
		if mark, at := r.(pipeline.Marker).Mark(); mark != "" {
			from, err := b.(pipeline.OpenFrom).OpenFrom(t.Context(), mark)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(from)
			if from.Close(); err != nil || !bytes.Equal(got, want[at:]) {
				t.Fatalf("from %q: %d bytes, %v, want %d", mark, len(got), err, len(want)-int(at))
			}
		}
		if err != nil {
			return
		}
	}
}
