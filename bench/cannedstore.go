package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// cannedStore answers like S3. It has the objects that can be loaded, of
// cannedObject records but for the last, and forgets what is put.
type cannedStore struct {
	task
	mu      sync.Mutex
	members map[int][]byte // objects by the number of their records
}

const cannedObject = 50_000

// ServeHTTP implements http.Handler.
func (s *cannedStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("ETag", `"canned"`)
	switch {
	case r.Method == "PUT":
		io.Copy(io.Discard, r.Body)
	case r.Method == "POST" && q.Has("uploads"):
		io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == "POST":
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"canned"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == "GET" && q.Has("list-type"):
		s.list(w, q.Get("prefix"))
	case r.Method == "GET":
		w.Write(s.object(last(key)))
	case r.Method == "HEAD" && key != "":
		w.WriteHeader(http.StatusNotFound)
	}
}

// list lists the objects below in-DOCUMENTS/.
func (s *cannedStore) list(w io.Writer, prefix string) {
	fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
	left := last(strings.TrimSuffix(prefix, "/"))
	for i := 0; left > 0; i++ {
		n := min(left, cannedObject)
		left -= n
		fmt.Fprintf(w, `<Contents><Key>%s%08d-%d</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>"canned"</ETag><Size>%d</Size></Contents>`,
			prefix, i, n, len(s.object(n)))
	}
	fmt.Fprint(w, `</ListBucketResult>`)
}

// object gives an object of n records, in members of about 1 MiB.
func (s *cannedStore) object(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[n] != nil {
		return s.members[n]
	}
	var out bytes.Buffer
	var block []byte
	r := s.records(fmt.Sprintf("%s-from-%d", s.Bucket, s.Documents))
	for i := range n {
		if block = r.Append(block, int64(i)); len(block) >= 1<<20 || i == n-1 {
			z, err := gzip.NewWriterLevel(&out, level)
			if err != nil {
				panic(err) // the level is a constant
			}
			z.Write(block) // into memory: it does not fail
			z.Close()
			block = block[:0]
		}
	}
	s.members[n] = out.Bytes()
	return s.members[n]
}
