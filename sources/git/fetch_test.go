package git_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/sources/git"
	"sluice/test/servers"
)

// web is a history behind git's own HTTP server.
type web struct {
	*history
	git.Config
	requests atomic.Int64 // for objects or references
	sent     atomic.Int64 // bytes of replies to them
	host     *servers.GitHost
}

func newWeb(t *testing.T) *web {
	w := &web{host: servers.Git(t)}
	w.history = &history{Repository: w.host.Repository(t, "r.git"), t: t}
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if strings.HasSuffix(in.URL.Path, "git-upload-pack") && in.Method == http.MethodPost {
			w.requests.Add(1)
			out = counting{out, &w.sent}
		}
		w.host.ServeHTTP(out, in)
	}))
	t.Cleanup(front.Close)
	w.Config = w.history.config()
	w.Config.URL, w.Token = front.URL+"/r.git", unit.Secret(servers.GitToken)
	return w
}

// counting counts the bytes of a reply.
type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

// Write implements io.Writer.
func (c counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// asked is how many requests for objects f makes.
func (w *web) asked(f func()) int64 {
	before := w.requests.Load()
	f()
	return w.requests.Load() - before
}

// noise is text that is not made much shorter by compression.
func noise(seed int) string {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	var b strings.Builder
	for range 50 {
		fmt.Fprintf(&b, "%x\n", r.Uint64())
	}
	return b.String()
}

func many(n int) files {
	all := files{}
	for i := range n {
		all[fmt.Sprintf("d%d/%04d", i%7, i)] = noise(i)
	}
	return all
}

// TestOnlyWhatIsOpenedIsFetched: what the sink does not want is not sent, and
// files of which one is opened come together.
func TestOnlyWhatIsOpenedIsFetched(t *testing.T) {
	w := newWeb(t)
	all := many(1500)
	w.commit(all)
	r, lanes := open(t, build(t, w.Config, kind.Env{}), &pipeline.Pass{Number: 2})
	var items []*pipeline.Item
	names := w.asked(func() { items = read(t, r, lanes[0], pipeline.Position{}) })
	contents := w.asked(func() {
		for _, it := range items {
			if got, err := content(t, it); err != nil || got != all[it.Key] {
				t.Fatalf("%s: got %q, %v", it.Key, got, err)
			}
		}
	})
	if len(items) != 1500 || names != 0 || contents < 2 || contents > 8 {
		t.Errorf("requests: %d to read the names of %d files, %d for the contents of 1500", names, len(items), contents)
	}
}

// TestAMirrorIsNotSentWhatItHas: its second pass asks for the names alone.
func TestAMirrorIsNotSentWhatItHas(t *testing.T) {
	w := newWeb(t)
	all := many(200)
	w.commit(all)
	r := newRun(t, w.Config)
	r.full, r.mirror, r.lanes = true, true, 2
	r.must(t)
	r.has(t, all)
	before := w.sent.Load()
	res := r.must(t)
	if sent := w.sent.Load() - before; res.Counts.Skipped != 200 || res.Counts.ObjectsRead != 0 || sent > before/10 {
		t.Errorf("got %+v, %d bytes, and %d for everything", res.Counts, sent, before)
	}
	delete(all, "d0/0000")
	all["d1/0001"] = "changed"
	w.commit(files{"d0/0000": gone, "d1/0001": "changed"})
	if res = r.must(t); res.Counts.ObjectsRead != 1 || res.Counts.Deleted != 1 {
		t.Errorf("got %+v, want one file and one delete", res.Counts)
	}
	r.has(t, all)
}
