package search_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/kind"
	"sluice/sources/search"
	"sluice/test/faultproxy"
)

// elastic stands before an OpenSearch and speaks as Elasticsearch does where
// the two differ in what the source uses. Each reply gives a point in time
// another name, and the names before are no longer known.
type elastic struct {
	says string // at GET /
	old  bool   // there are no points in time

	proxy  *httputil.ReverseProxy
	mu     sync.Mutex
	names  map[string]int // of a point in time at OpenSearch to how often it was renamed
	closed int
}

func newElastic(t *testing.T, target, says string, old bool) (*elastic, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	e := &elastic{says: says, old: old, names: map[string]int{}}
	e.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, ModifyResponse: e.rename}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return e, s.URL
}

var (
	inReply   = regexp.MustCompile(`"pit_id":"([^"]*)"`)
	inRequest = regexp.MustCompile(`"id":"([0-9]+)~([^"]*)"`)
)

// rename gives the point in time in a reply its next name.
func (e *elastic) rename(r *http.Response) error {
	b, err := io.ReadAll(r.Body)
	if m := inReply.FindSubmatchIndex(b); err == nil && m != nil {
		id := string(b[m[2]:m[3]])
		e.mu.Lock()
		e.names[id]++
		name := fmt.Sprintf("%d~%s", e.names[id], id)
		e.mu.Unlock()
		if strings.HasSuffix(r.Request.URL.Path, "/point_in_time") {
			b = fmt.Appendf(nil, `{"id":%q}`, name) // as 7.17: nothing of shards
		} else {
			b = slices.Concat(b[:m[2]], []byte(name), b[m[3]:])
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return err
}

// current takes the name of a point in time out of a request, if it is known.
func (e *elastic) current(body []byte) ([]byte, bool) {
	m := inRequest.FindSubmatch(body)
	if m == nil {
		return body, true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Replace(body, m[0], fmt.Appendf(nil, `"id":%q`, m[2]), 1), strconv.Itoa(e.names[string(m[2])]) == string(m[1])
}

func (e *elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	b, known := e.current(b)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	opens := r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/_pit")
	switch {
	case !known:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error":{"type":"search_context_missing_exception","reason":"an old name"},"status":404}`)
	case r.URL.Path == "/":
		io.WriteString(w, e.says)
	case r.URL.Path == "/_pit":
		e.mu.Lock()
		e.closed++
		e.mu.Unlock()
		io.WriteString(w, `{"succeeded":true,"num_freed":1}`)
	case strings.HasSuffix(r.URL.Path, "/_search/point_in_time"), opens && e.old:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":{"type":"parse_exception","reason":"request body is required"},"status":400}`)
	default:
		if opens {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "_pit") + "_search/point_in_time"
		}
		e.proxy.ServeHTTP(w, r)
	}
}

func TestElasticsearchIsReadInItsOwnWay(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 2, "")
	if i.engine.Elasticsearch() {
		t.Skipf("it needs an OpenSearch: %s is Elasticsearch without disguise", i.engine)
	}
	i.fill(t, 500, 300)
	for name, c := range map[string]struct {
		says   string
		old    bool
		closed int // points in time; one of them was a trial
	}{
		"8.19":         {`{"version":{"number":"8.19.0","build_flavor":"default"}}`, false, 3},
		"7.10 oss":     {`{"version":{"number":"7.10.2","build_flavor":"oss"}}`, true, 0},
		"says nothing": {`{}`, false, 3},
	} {
		e, url := newElastic(t, i.url, c.says, c.old)
		j := newJob(config(url, i))
		j.complete(t)
		j.wants(t, i)
		if e.closed != c.closed {
			t.Errorf("%s: got %d points in time closed, want %d", name, e.closed, c.closed)
		}
		if s, _ := j.last.Status(); s.Lanes[0].State.Start+s.Lanes[1].State.Start > 0 {
			t.Errorf("%s: a lane started over, want the newest name of its point in time used", name)
		}
		cfg := config(url, i)
		cfg.Read = "pit"
		if j := newJob(cfg); c.old {
			j.failing(t, "read: pit", "scroll")
		} else {
			j.complete(t)
		}
	}
}

func TestWithoutPermissionForPointsInTimeScrollsAreUsed(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 1, "")
	i.fill(t, 50, 300)
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Path: i.engine.PointInTime(), Times: -1, Status: 403, Body: `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`})
	j := newJob(config(p.URL, i))
	j.complete(t)
	j.wants(t, i)
	if n := len(p.Requests("POST", "scroll=")); n != 1 {
		t.Errorf("got %d scrolls opened, want 1", n)
	}
}

func TestAPlanIsMadeWhileAShardIsBusy(t *testing.T) {
	t.Parallel()
	i := newPITIndex(t, 2, "")
	i.fill(t, 50, 300)
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Path: i.engine.PointInTime(), Status: 503})        // the trial
	p.Add(&faultproxy.Rule{Path: i.name + "/_search", Times: 3, Status: 503}) // the query, the counts
	p.Add(&faultproxy.Rule{Path: "/_cluster/health", Status: 503})
	p.Add(&faultproxy.Rule{Path: "/_stats", Status: 503})
	j := newJob(config(p.URL, i))
	j.complete(t)
	j.wants(t, i)
	if n := len(p.Requests("POST", "scroll=")); n != 0 {
		t.Errorf("got %d scrolls opened, want none: the engine has points in time", n)
	}
}

func TestWrongCredentialsAreAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Times: -1, Status: 401, Body: "Unauthorized"})
	c := config(p.URL, i)
	c.Username, c.Password = "u", "hidden"
	newJob(c).failing(t, "401", "credentials")
	if n := len(p.Requests()); n != 1 {
		t.Errorf("got %d requests, want 1", n)
	}
}

func TestProblemsOfOptions(t *testing.T) {
	env := kind.Env{}
	for name, c := range map[string]struct {
		change       func(*search.Config)
		option, says string
	}{
		"no index":      {func(c *search.Config) { c.Index = []string{" ,"} }, "index", "logs-*"},
		"minus":         {func(c *search.Config) { c.Index = []string{"a,-b"} }, "index", "exclude"},
		"query is text": {func(c *search.Config) { c.Query = "level:error" }, "query", "JSON"},
		"query is none": {func(c *search.Config) { c.Query = "{}" }, "query", "one that names the kind"},
		"query is two":  {func(c *search.Config) { c.Query = `{"term":{},"range":{}}` }, "query", "2 members"},
		"url":           {func(c *search.Config) { c.URL = nil }, "url", "https://"},
		"date math":     {func(c *search.Config) { c.Index = []string{"<logs-{now/d}>"} }, "index", "wildcard"},
		"remote":        {func(c *search.Config) { c.Index = []string{"a,other:logs-*"} }, "index", "remote cluster"},
	} {
		cfg := config("http://h", &index{name: "a"})
		c.change(cfg)
		list := cfg.Problems(env)
		if len(list) != 1 || list[0].Option != c.option || !strings.Contains(list[0].Message, c.says) {
			t.Errorf("%s: got %v, want one of %s that says %q", name, list, c.option, c.says)
		}
	}
}

func TestTheIdentityIsWhatPositionsDependOn(t *testing.T) {
	a := config("http://u:hidden@h:9200/", &index{name: "a"})
	a.Query, a.Exclude = `{ "term" : {"a": 1} }`, []string{"b"}
	want := `http://h:9200 index a without b query {"term":{"a":1}}`
	if got := a.Identity(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b := *a
	b.Ignore = []string{"closed"}
	b.Page, b.Read, b.KeepAlive, b.Password = 1<<20, "scroll", 1, "other"
	if b.Identity() != want {
		t.Errorf("got %q, want tuning and secrets left out", b.Identity())
	}
	b.Fields = search.Fields{Include: []string{"x", "y.*"}, Exclude: []string{"y.z"}}
	if got := b.Identity(); got != want+" with fields x,y.* without fields y.z" {
		t.Errorf("got %q, want the fields too: what is delivered depends on them", got)
	}
}
