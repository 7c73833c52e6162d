package search_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"sluice/internal/unit"
	"sluice/test/faultproxy"
)

// TestPagesShrinkToOneDocument: a cluster that has room for one document at a
// time is asked for one at a time, however short the time is for which the same
// page is tried again.
func TestPagesShrinkToOneDocument(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 40, 3000)
	for _, read := range resumable(t) {
		t.Run(read, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.New(t, i.url)
			refused := 0
			p.Add(&faultproxy.Rule{Match: isPage, Times: -1, Edit: func(r *http.Response) {
				b, err := io.ReadAll(r.Body)
				if err == nil && bytes.Count(b, []byte(`"_id":"`)) > 1 {
					refused++
					r.StatusCode = http.StatusTooManyRequests
					b = []byte(`{"error":{"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}`)
				}
				r.Body = io.NopCloser(bytes.NewReader(b))
				r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			}})
			c := config(p.URL, i)
			c.Read, c.Page, c.Retry = read, 6000, unit.Duration(250*time.Millisecond)
			j := newJob(c)
			j.lanes = 1
			j.complete(t)
			j.wants(t, i)
			if refused == 0 {
				t.Error("no page was refused")
			}
		})
	}
}
