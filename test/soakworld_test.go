package test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// soaked are the pipelines of a soak.
var soaked = []string{"follow", "objects-old", "objects-new", "history", "restore", "backfill"}

// place is a server, and the proxy through which the daemon sees it.
type place struct {
	name   string
	server *servers.Server // nil: git's is part of this process
	proxy  *faultproxy.Proxy
}

// soak is a daemon, the servers around it, and what there ought to be.
type soak struct {
	*daemon
	length   time.Duration
	began    time.Time
	port     string // of the daemon's metrics
	old, new place  // clusters
	store    place
	disk     string // of the store
	git      place
	buckets  map[string]*bucket
	backups  history // what the bucket of manifests becomes
	edited   history // what becomes a bucket
	seen     *samples

	stop    context.CancelFunc
	writers errgroup.Group
	// What there ought to be; each is written to by one goroutine.
	objects documents // of all objects that were put
	files   content   // of the bucket of manifests
	edits   content   // of the edited repository
	times   int       // commits
}

// newSoak starts all servers, which end with the test.
func newSoak(t *testing.T, length time.Duration) *soak {
	t.Helper()
	s := &soak{daemon: &daemon{job: &job{dir: t.TempDir()}}, length: length, buckets: map[string]*bucket{},
		objects: documents{}, files: content{}, edits: content{}}
	s.log, s.port = out(t, "sluice.log"), strconv.Itoa(servers.FreePort(t))
	ctx, cancel := within(10 * time.Minute)
	defer cancel()
	start := func(name string, server *servers.Server, err error) place {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Kill)
		return place{name, server, faultproxy.New(t, server.URL)}
	}
	old, err := servers.StartOpenSearch(ctx, t.TempDir())
	s.old = start("the old cluster", old, err)
	fresh, err := servers.StartOpenSearch(ctx, t.TempDir())
	s.new = start("the new cluster", fresh, err)
	s.disk = filepath.Join(t.TempDir(), "store")
	tiny(t, s.disk, "1g")
	store, err := servers.StartS3(ctx, s.disk)
	s.store = start("the store", store, err)
	at, err := servers.StoreAt(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events", "incoming", "manifests", "restored", "exports"} {
		s.buckets[name] = bucketAt(t, at, "soak-"+name)
	}
	host := servers.Git(t)
	s.git = place{"the git server", nil, faultproxy.New(t, host.URL)}
	s.backups, s.edited = history{host.Repository(t, "backups.git")}, history{host.Repository(t, "edited.git")}
	s.prepare(t)
	return s
}

// prepare makes what is there before the daemon starts, and its configuration.
func (s *soak) prepare(t *testing.T) {
	t.Helper()
	old, fresh := cluster{s.old.server.URL}, cluster{s.new.server.URL}
	for _, index := range []string{"events", "catalog", "loaded"} {
		old.call(t, "PUT", "/"+index, `{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"dynamic":false}}`)
	}
	fresh.call(t, "PUT", "/loaded", `{"settings":{"number_of_replicas":0},"mappings":{"dynamic":false}}`)
	old.put(t, "catalog", generated(20000, 400))
	for i := range 500 {
		s.files[fmt.Sprintf("cluster-%d/team-%02d/web-%03d.yaml", i%3, i%20, i)] = manifest(fmt.Sprint("web-", i), i%9)
	}
	objects := map[string]string{}
	for path, text := range s.files {
		objects["in/"+path] = text
	}
	s.buckets["manifests"].putAll(t, objects)
	s.edits = content{"README.md": "edited by hand\n"}
	s.edited.edit(t, s.edits)
	if err := os.Symlink("..data/sluice.yaml", filepath.Join(s.dir, "sluice.yaml")); err != nil {
		t.Fatal(err)
	}
	s.mount(t, 0, s.version(0))
	s.began = time.Now()
}

// version is the configuration number n: five pipelines, two of which change each
// time, and one that comes and goes.
func (s *soak) version(n int) string {
	in := func(bucket string, options ...string) string {
		return s.buckets[bucket].stage(s.store.proxy.URL, append(options, "retry: 10s")...)
	}
	search := func(p place, index string, options ...string) string {
		return searchStage(p.proxy.URL, index, append(options, "retry: 10s")...)
	}
	text := fmt.Sprintf("http: 127.0.0.1:%s\n", s.port) + pipelines(
		dump("follow", search(s.old, "events", "with: [version]"), in("events", `key: "{pass:6}/{lane}-{sequence:6}.json.gz"`), "mode: new", "every: 2s"),
		load("objects", in("incoming"), "", "mode: new", "every: 2s"),
		entry("history", in("manifests", "prefix: in/"), "[]", gitStage(s.git.proxy.URL+"/backups.git", "path: clusters", "strip: in/", "retry: 10s"), "every: 5s"),
		entry("restore", gitStage(s.git.proxy.URL+"/edited.git", "retry: 10s"), "[]", in("restored"), "mode: new", "every: 3s"),
		dump("backfill", search(s.old, "catalog"), in("exports", `key: "{pass:6}/{lane}-{sequence:6}.json.gz"`, fmt.Sprintf("roll: {bytes: %dMiB}", 1+n%2)), `cron: "* * * * *"`),
	)
	text = strings.Replace(text, "    sink: \n", fmt.Sprintf("    sinks:\n      old: %s\n      new: %s\n",
		search(s.old, "loaded", fmt.Sprintf("bulk: %dMiB", 1+n%4)), search(s.new, "loaded", fmt.Sprintf("bulk: %dMiB", 1+n%4))), 1)
	if n%2 == 1 {
		text += entry("guest", stage("generate", "records: 50000", "rate: 2000"), "[]", stage("file", "path: ./guest", `key: "{pass}-{lane}-{sequence}"`), "every: 1m")
	}
	return text
}

// load begins to write to all sources, until rest.
func (s *soak) load(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	t.Cleanup(func() {
		stop()
		s.writers.Wait()
	})
	for _, w := range []struct {
		every time.Duration
		do    func(n int) error
	}{
		{200 * time.Millisecond, func(int) error { return s.write("events", 5000, 20) }},
		{5 * time.Second, func(int) error { return s.write("catalog", 20000, 5) }},
		{time.Second, s.putObject},
		{500 * time.Millisecond, s.changeManifest},
	} {
		s.writers.Go(func() error {
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(w.every):
				}
				for ctx.Err() == nil && w.do(n) != nil { // until it is back
					time.Sleep(time.Second)
				}
			}
		})
	}
}

// write writes some of so many documents of an index anew. What becomes of them
// where the cluster dies meanwhile is not known: the index is the truth.
func (s *soak) write(index string, of, n int) error {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "{\"index\":{\"_index\":%q,\"_id\":\"%08d\"}}\n{\"at\":%d,\"text\":%q}\n",
			index, rand.IntN(of), time.Now().UnixNano(), strings.Repeat("x", rand.IntN(300)))
	}
	status, _, err := cluster{s.old.server.URL}.send("POST", "/_bulk", b.String())
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("bulk: %d", status)
	}
	return err
}

// putObject puts object n with new documents into the bucket that is loaded.
func (s *soak) putObject(n int) error {
	docs := generated(40, 300)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for i := range docs {
		docs[i].ID = fmt.Sprintf("%d-%d", n, i)
	}
	z.Write(envelope("loaded", docs))
	z.Close()
	if err := s.buckets["incoming"].tryPut(fmt.Sprintf("%06d.json.gz", n), b.Bytes()); err != nil {
		return err
	}
	for _, d := range docs {
		s.objects[d.ID+"|"] = oneLine(d.Source)
	}
	return nil
}

// changeManifest adds, changes or deletes a manifest.
func (s *soak) changeManifest(n int) error {
	path := fmt.Sprintf("cluster-%d/team-%02d/web-%03d.yaml", n%3, n%20, rand.IntN(700))
	if rand.IntN(4) == 0 {
		if err := s.buckets["manifests"].tryDelete("in/" + path); err != nil {
			return err
		}
		delete(s.files, path)
		return nil
	}
	text := manifest("web", n)
	if err := s.buckets["manifests"].tryPut("in/"+path, []byte(text)); err != nil {
		return err
	}
	s.files[path] = text
	return nil
}

// commit edits the repository by hand.
func (s *soak) commit(t *testing.T) {
	s.times++
	path := fmt.Sprintf("ns-%d/file-%02d.yaml", s.times%5, s.times%23)
	text := manifest("edited", s.times)
	if s.times%7 == 0 && s.edits[path] != "" {
		text = ""
	}
	s.edited.edit(t, content{path: text})
	s.edits[path] = text
	if text == "" {
		delete(s.edits, path)
	}
}

// count counts a message in the log.
func (s *soak) count(t *testing.T, message string) int { return strings.Count(s.text(t), message) }

// exact fails unless each destination has exactly what its source has.
func (s *soak) exact(t *testing.T) {
	t.Helper()
	old := cluster{s.old.server.URL}
	same(t, "follow", latest(t, s.buckets["events"].lines(t, "")), old.documents(t, "events"))
	same(t, "objects-old", old.documents(t, "loaded"), s.objects)
	same(t, "objects-new", cluster{s.new.server.URL}.documents(t, "loaded"), s.objects)
	equal(t, "history", s.backups.at(t, "main").below("clusters/"), s.files)
	s.backups.sound(t)
	equal(t, "restore", s.buckets["restored"].objects(t, ""), s.edits)
	exports := s.buckets["exports"]
	keys := exports.keys(t, "")
	last, _, _ := strings.Cut(keys[len(keys)-1], "/")
	same(t, "backfill", parse(t, exports.lines(t, last+"/")), old.documents(t, "catalog"))
	for _, name := range soaked {
		if n := len(s.letters(t, name)); n > 0 {
			t.Errorf("%s: %d dead letters", name, n)
		}
	}
	t.Logf("exact: %d documents in two clusters, %d manifests in %d commits, %d events, pass %s of the backfill",
		len(s.objects), len(s.files), len(s.backups.commits(t)), len(old.documents(t, "events")), last)
}

// latest reads lines of the envelope of which the last one of a document counts.
func latest(t *testing.T, lines []byte) documents {
	t.Helper()
	all := documents{}
	decode(t, lines, func(d document) error {
		all[d.ID+"|"+d.Routing] = oneLine(d.Source)
		return nil
	})
	return all
}
