package letters_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/letters"
	"sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/test/servers"
)

// inIndex is letters in an index of a cluster.
func inIndex(url, index string) *letters.Box {
	c := search.Config{URL: []string{url}, Retry: unit.Duration(20 * time.Second)}
	return &letters.Box{Config: &letters.Config{Search: &letters.Search{Config: c, Index: index}}, Pipeline: "logs"}
}

func TestLettersInAnIndexAreDurableWithEachSync(t *testing.T) {
	b := inIndex(servers.Search(t).URL, "sluice-letters-"+strings.ToLower(rand.Text()))
	client, err := search.New(b.Config.Search.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	wants(t, b)
	w := openBox(t, b)
	defer func() {
		if err := client.Call(t.Context(), search.Request{Method: http.MethodDelete, Path: search.Path(b.Config.Search.Index)}, nil); err != nil {
			t.Error(err)
		}
	}()
	var want []string
	for n := range int64(45) { // more than two pages
		reason := fmt.Sprintf("reason %02d", n)
		l := pipeline.Letter{Pass: 3, Line: n, Reason: reason, Record: []byte("{}\n")}
		write(t, w, l, l) // twice: it is there once
		want = append(want, reason)
	}
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, b, want...)
	long := `{"long":"` + strings.Repeat("x", 2<<20) + "\"}\n"
	write(t, w, pipeline.Letter{Pass: 3, Line: 100, Reason: "zlong", Record: []byte(long), Version: strings.Repeat("v", 40_000)},
		pipeline.Letter{Pass: 3, Line: 101, Reason: "zbytes", Record: []byte("\xff")})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other := openBox(t, &letters.Box{Config: b.Config, Pipeline: "other"})
	write(t, other, pipeline.Letter{Pass: 1, Reason: "of another pipeline"})
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, b, append(want, "zlong", "zbytes")...)
	err = b.Each(t.Context(), func(l *letters.Letter, _ []byte) error {
		record, err := l.Bytes()
		if want := map[string]string{"zlong": long, "zbytes": "\xff"}[l.Reason]; want != "" && string(record) != want {
			t.Errorf("%s: got %d bytes, want %d", l.Reason, len(record), len(want))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// cluster is an index that takes bulk requests, and answers as a test says.
type cluster struct {
	mu    sync.Mutex
	docs  map[string]string
	bulks int
	reply func(n int, ids []string) (status int, body string) // to bulk number n, from 1; "": all is well
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		fmt.Fprint(w, `{"dead":{"settings":{"index":{"uuid":"u","number_of_shards":"1"}}}}`)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	var ids []string
	for i := 0; i+1 < len(lines); i += 2 {
		var action struct {
			Index struct {
				ID string `json:"_id"`
			}
		}
		if err := json.Unmarshal([]byte(lines[i]), &action); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		c.docs[action.Index.ID] = lines[i+1]
		ids = append(ids, action.Index.ID)
	}
	c.bulks++
	status, text := c.reply(c.bulks, ids)
	if status == 0 { // the reply is lost
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// items is the items of a reply, with a status each.
func items(statuses ...int) string {
	var all []string
	for _, s := range statuses {
		text := fmt.Sprintf(`{"index":{"status":%d}}`, s)
		if s >= 300 {
			text = fmt.Sprintf(`{"index":{"status":%d,"error":{"type":"t","reason":"r"}}}`, s)
		}
		all = append(all, text)
	}
	return `{"items":[` + strings.Join(all, ",") + `]}`
}

func TestEveryLetterOfABulkRequestHasToBeTaken(t *testing.T) {
	for _, c := range []struct {
		name  string
		bulks int
		want  string // of the error
		reply func(n int, ids []string) (int, string)
	}{
		{"all are", 1, "", func(int, []string) (int, string) { return 200, items(201, 200) }},
		{"a lost reply", 2, "", func(n int, _ []string) (int, string) { return (n - 1) * 200, items(200, 200) }},
		{"one is rejected for now", 2, "", func(n int, _ []string) (int, string) { return 200, items(201, 429*(2-n)+201*(n-1)) }},
		{"fewer items", 2, "", func(n int, _ []string) (int, string) { return 200, items(slices.Repeat([]int{201}, n)...) }},
		{"one is refused", 1, "index dead: a letter is refused: 400 t: r", func(int, []string) (int, string) { return 200, items(201, 400) }},
		{"no permission", 1, "403", func(int, []string) (int, string) { return 403, `{"error":{"type":"security_exception","reason":"no"}}` }},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := &cluster{docs: map[string]string{}, reply: c.reply}
			server := httptest.NewServer(fake)
			defer server.Close()
			w := openBox(t, inIndex(server.URL, "dead"))
			write(t, w, pipeline.Letter{Pass: 1, Line: 1, Reason: "one"}, pipeline.Letter{Pass: 1, Line: 2, Reason: "two"})
			err := w.Sync(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if fake.bulks != c.bulks || len(fake.docs) != 2 {
				t.Errorf("got %d requests with %d letters, want %d with 2", fake.bulks, len(fake.docs), c.bulks)
			}
			if err == nil && (w.Sync(t.Context()) != nil || fake.bulks != c.bulks) {
				t.Error("got a request for nothing")
			}
			w.Close()
		})
	}
}
