package search_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/faultproxy"
)

func TestAReadGoesOnWithTheLastOfThreeNodes(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for _, way := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			nodes := []*faultproxy.Proxy{faultproxy.New(t, i.url), faultproxy.New(t, i.url), faultproxy.New(t, i.url)}
			c := config(nodes[0].URL, i)
			c.Read, c.Page = way, 64<<10
			c.URL = append(c.URL, nodes[1].URL, nodes[2].URL)
			died := nodes[0].Add(&faultproxy.Rule{Match: isPage, Skip: 2, Delay: 1, Do: func() { nodes[1].Stop(); nodes[2].Stop() }})
			before := func() int { return len(nodes[1].Requests()) + len(nodes[2].Requests()) }
			j := newJob(c)
			j.complete(t)
			j.wants(t, i)
			if died.Hits() != 1 || before() < 4 || len(nodes[0].Requests("POST", "/_search")) < 10 {
				t.Errorf("%d deaths, %d requests to those that died, %q to the other, want some before and the rest after",
					died.Hits(), before(), nodes[0].Requests())
			}
		})
	}
}

func TestPagesAreReadCompressed(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 1000, 1000)
	for _, way := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.New(t, i.url)
			var plain, zipped, others atomic.Int64
			p.Add(&faultproxy.Rule{Times: -1, Edit: func(r *http.Response) {
				switch asked := r.Request.Header.Get("Accept-Encoding"); {
				case asked == "":
					others.Add(1)
				case asked != "gzip" || r.Header.Get("Content-Encoding") != "gzip":
					plain.Add(1)
				default:
					zipped.Add(1)
				}
			}})
			c := config(p.URL, i)
			c.Read, c.Page, c.Compression = way, 64<<10, "on"
			j := newJob(c)
			j.complete(t)
			j.wants(t, i)
			if zipped.Load() < 4 || plain.Load() > 0 || others.Load() < 4 {
				t.Errorf("%d pages came compressed, %d did not, and %d calls were not asked to, want pages alone", zipped.Load(), plain.Load(), others.Load())
			}
		})
	}
}

func TestACompressedPageThatIsCutIsReadOnButAScrollIsNot(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for _, way := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.New(t, i.url)
			cut := p.Add(&faultproxy.Rule{Match: isPage, Skip: 3, CutAfter: 1000})
			c := config(p.URL, i)
			c.Read, c.Page, c.Compression = way, 256<<10, "on"
			j := newJob(c)
			if way == "scroll" {
				j.failing(t, "a scroll's page is never asked for twice")
			}
			j.complete(t)
			j.wants(t, i)
			if cut.Hits() != 1 {
				t.Errorf("%d pages were cut, want one", cut.Hits())
			}
		})
	}
}

func TestReadingIsLimited(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 1000, 1000)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	c.Page, c.Limit.Requests, c.Limit.Bytes = 128<<10, 20, 500<<10
	begin := time.Now()
	j := newJob(c)
	j.complete(t)
	j.wants(t, i)
	if took, requests := time.Since(begin), len(p.Requests()); took < time.Duration(requests-1)*time.Second/20 || took < 2*time.Second {
		t.Errorf("%d requests and 1 MB took %s, want at most 20 requests and 500 KiB a second", requests, took)
	}
}
