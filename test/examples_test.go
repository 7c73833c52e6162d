package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/internal/notify/notifytest"
	"sluice/test/fakestore"
	"sluice/test/servers"
)

// example is what an example runs on.
type example struct {
	*job
	from, to *bucket
	search   cluster
	index    string
}

// examples says of each example what there is before, and what it has done. It
// runs with --once, unless that is another pass than the one to be seen.
var examples = map[string]func(t *testing.T, e *example){
	"archive.yaml": func(t *testing.T, e *example) {
		e.search.index(t, e.index, 2, "")
		e.search.put(t, e.index, generated(500, 100))
		e.set("INDEX=" + e.index)
		e.once(t)
		keys := e.to.keys(t, "")
		if len(keys) != 3 || keys[0] != "manifests/1/_manifest.ndjson" || !strings.HasPrefix(keys[1], e.index+"/1/") {
			t.Fatalf("got %q", keys)
		}
		if text := string(e.to.get(t, keys[0])); strings.Count(text, "\n") != 4 || !strings.Contains(text, `"records":500`) {
			t.Errorf("manifest:\n%s", text)
		}
	},
	"bucket-to-bucket.yaml": func(t *testing.T, e *example) {
		e.from.put(t, "logs/a", []byte("a"))
		e.from.put(t, "other", []byte("o"))
		e.once(t)
		equalObjects(t, e.to.objects(t, ""), map[string]string{"logs/a": "a"})
	},
	"filters.yaml": func(t *testing.T, e *example) {
		e.from.put(t, "logs/2026/host-7/a", []byte("a"))
		e.from.put(t, "logs/2026/host-7/tmp/b", []byte("b"))
		e.from.put(t, "logs/2026/host-8/c", []byte("c"))
		e.from.put(t, "logs/2026/host-7/empty", nil)
		e.once(t)
		equalObjects(t, e.files(t, "week"), map[string]string{"logs/2026/host-7/a": "a"})
	},
	"git-history.yaml": func(t *testing.T, e *example) {
		h := history{servers.Git(t).Repository(t, "team/clusters.git")}
		e.set("GIT_URL="+h.URL, "GIT_TOKEN="+servers.GitToken)
		text := "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  uid: 7\nspec: {}\n"
		for _, key := range []string{"c1/web/service/a.yaml", "c1/web/service/b.yaml", "c1/web/service/c.yaml", "c1/web/service/d.yaml", "c2/db/service/a.yaml"} {
			e.from.put(t, "clusterbackup/"+key, []byte(text))
		}
		e.once(t)
		if n := len(h.commits(t)); n != 2 {
			t.Errorf("got %d commits, want one for each of two namespaces", n)
		}
		e.from.put(t, "clusterbackup/c1/web/service/b.yaml", []byte(strings.Replace(text, "uid: 7", "uid: 8", 1)))
		e.from.delete(t, "clusterbackup/c1/web/service/a.yaml")
		e.once(t)
		got := h.at(t, "main")
		if len(h.commits(t)) != 3 || len(got) != 4 || got["clusters/c1/web/service/b.yaml"] != strings.Replace(text, "  uid: 7\n", "", 1) {
			t.Errorf("got %d commits and %q", len(h.commits(t)), got)
		}
	},
	"git-restore.yaml": func(t *testing.T, e *example) {
		h := history{servers.Git(t).Repository(t, "team/clusters.git")}
		e.set("GIT_URL="+h.URL, "GIT_TOKEN="+servers.GitToken)
		h.edit(t, content{"clusters/a": "1", "clusters/b/c": "2", "README.md": "ours"})
		e.once(t)
		equalObjects(t, e.to.objects(t, ""), map[string]string{"a": "1", "b/c": "2"})
		h.edit(t, content{"clusters/a": "", "clusters/d": "3"})
		e.once(t)
		equalObjects(t, e.to.objects(t, ""), map[string]string{"b/c": "2", "d": "3"})
	},
	"mirror.yaml": func(t *testing.T, e *example) {
		for i := range 10 {
			e.from.put(t, fmt.Sprint("k", i), []byte("1"))
		}
		e.once(t)
		want := e.from.objects(t, "")
		equalObjects(t, e.to.objects(t, ""), want)
		e.from.delete(t, "k3")
		delete(want, "k3")
		dry := exec.CommandContext(t.Context(), program, "run", "--dry-run")
		dry.Dir, dry.Env = e.dir, append(os.Environ(), e.env...)
		if out, err := dry.Output(); err != nil || !strings.Contains(string(out), "gone") || !strings.Contains(string(out), "k3") {
			t.Fatalf("dry run: %s, %v", out, err)
		}
		e.once(t)
		equalObjects(t, e.to.objects(t, ""), want)
	},
	"new-objects.yaml": func(t *testing.T, e *example) {
		e.from.put(t, "in/a.json.gz", zipped(generated(3, 50), "loaded"))
		e.from.put(t, "in/b.txt", []byte("b"))
		e.once(t)
		e.loaded(t, 3)
		if got := fmt.Sprint(e.from.keys(t, "")); got != "[done/in/a.json.gz in/b.txt]" {
			t.Errorf("left are %s", got)
		}
	},
	"notifications-sqs.yaml": func(t *testing.T, e *example) {
		q := notifytest.New(t)
		e.set("QUEUE_URL="+q.URL, "AWS_REGION=us-east-1")
		e.once(t) // lists the bucket
		e.from.put(t, "a.json.gz", zipped(generated(3, 50), "loaded"))
		q.Send(notifytest.Created(e.from.name, "a.json.gz"))
		e.once(t)
		e.loaded(t, 3)
	},
	"notifications-webhook.yaml": func(t *testing.T, e *example) {
		address := freeAddress(t)
		e.set("WEBHOOK=" + address)
		e.once(t)
		p := e.start(t, "run", "-c", "sluice.yaml")
		e.from.put(t, "a.json.gz", zipped(generated(3, 50), "loaded"))
		for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			reply, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(notifytest.Created(e.from.name, "a.json.gz")))
			if err == nil {
				reply.Body.Close()
				break
			}
			if time.Since(begin) > 20*time.Second {
				t.Fatal(err)
			}
		}
		e.loaded(t, 3)
		p.cmd.Process.Signal(syscall.SIGTERM)
		if o := p.wait(t); o.Status != 0 {
			t.Errorf("exit status %d\n%s", o.Status, o.Stderr)
		}
	},
	"role.yaml": func(t *testing.T, e *example) {
		sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("ExternalId") != "4711" || !strings.Contains(r.Header.Get("Authorization"), "Credential=own/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>role</AccessKeyId>`+
				`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}))
		t.Cleanup(sts.Close)
		program := filepath.Join(e.dir, "credentials.sh")
		script := "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"own\",\"SecretAccessKey\":\"secret\"}'\n"
		if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		e.set("CREDENTIAL_PROCESS="+program, "AWS_ENDPOINT_URL_STS="+sts.URL)
		theirs := fakestore.Store{Prefix: "in/", Count: 3, Size: 5} // VersityGW takes no temporary credentials
		err := theirs.Serve(func(url string) error {
			e.set("S3_ENDPOINT=" + url)
			e.once(t)
			return nil
		})
		if got := len(e.files(t, "theirs")); got != 3 || err != nil {
			t.Errorf("got %d files, %v, want 3", got, err)
		}
	},
	"restore.yaml": func(t *testing.T, e *example) {
		const index = "restored-logs"
		t.Cleanup(func() { e.search.ask(t, "DELETE", "/"+index, "") })
		e.from.put(t, "dump/logs/_index.json", []byte(`{"settings":{"index.number_of_shards":"2","index.refresh_interval":"7s"},"mappings":{"properties":{"n":{"type":"short"}}}}`))
		var docs []document
		for i, source := range []string{`{"n":1.0,"user":{"email":"a@example.org","id":7},"trace":[1]}`, `{"n":2,"level":"debug"}`, `{"n":"many"}`} {
			docs = append(docs, document{ID: fmt.Sprint(i), Source: json.RawMessage(source)})
		}
		e.from.put(t, "dump/logs/0.json.gz", zipped(docs, "logs"))
		if o := e.run(t, "--once"); o.Status != 3 {
			t.Fatalf("a record is refused: exit status %d, want 3\n%s", o.Status, o.Stderr)
		}
		same(t, "index", e.search.documents(t, "restored"), documents{"0|": `{"n":1.0,"user":{"email":"***","id":7}}`})
		settings := string(e.search.call(t, "GET", "/"+index+"/_settings", ""))
		if !strings.Contains(settings, `"refresh_interval":"7s"`) || !strings.Contains(settings, `"number_of_shards":"2"`) {
			t.Errorf("settings: %s", settings)
		}
		e.command(t, 0, "dead-letters", "list", "restore").prints(t, "failed to parse field [n]", `{"n":"many"}`)
		e.command(t, 0, "dead-letters", "replay", "restore", "--edit", "._source.n = 100")
		if n := e.search.count(t, index); n != 2 {
			t.Errorf("got %d documents after the replay, want 2", n)
		}
	},
	"two-clusters.yaml": func(t *testing.T, e *example) {
		target, err := url.Parse(e.search.url)
		if err != nil {
			t.Fatal(err)
		}
		var up atomic.Bool
		var bulks atomic.Int64
		proxy := httputil.NewSingleHostReverseProxy(target)
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !up.Load() {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if strings.HasSuffix(r.URL.Path, "/_bulk") {
				bulks.Add(1)
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(other.Close)
		e.set("OTHER_URL=" + other.URL)
		e.from.put(t, "a.json.gz", zipped(generated(3, 50), "loaded"))
		if o := e.run(t, "--once"); o.Status != 1 {
			t.Fatalf("a cluster refuses: exit status %d, want 1\n%s", o.Status, o.Stderr)
		}
		e.loaded(t, 3)
		up.Store(true)
		e.once(t)
		if bulks.Load() == 0 {
			t.Error("the second cluster got nothing")
		}
	},
	"versions.yaml": func(t *testing.T, e *example) {
		ctx, cancel := within(time.Minute)
		defer cancel()
		if _, err := e.from.client.PutBucketVersioning(ctx, &awss3.PutBucketVersioningInput{Bucket: &e.from.name,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
			t.Skip("the store keeps no versions: ", err)
		}
		t.Cleanup(func() { // the bucket goes only without them
			ctx, cancel := within(time.Minute)
			defer cancel()
			out, err := e.from.client.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{Bucket: &e.from.name})
			if err != nil {
				t.Error(err)
				return
			}
			for _, v := range out.Versions {
				e.from.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &e.from.name, Key: v.Key, VersionId: v.VersionId})
			}
		})
		e.from.put(t, "a", []byte("1"))
		e.from.put(t, "a", []byte("2"))
		e.once(t)
		got := e.files(t, "history/a")
		all := map[string]bool{}
		for _, v := range got {
			all[v] = true
		}
		if len(got) != 2 || !all["1"] || !all["2"] {
			t.Errorf("got %v, want both versions", got)
		}
	},
}

// TestTheExamplesRun runs each example on real servers.
func TestTheExamplesRun(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			try := examples[name]
			if try == nil {
				t.Fatal("nothing says what it has to do")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := &example{job: newJob(t, string(text)), from: newBucket(t), to: newBucket(t), index: unique(t)}
			e.set("S3_ENDPOINT="+e.from.store.Endpoint, "AWS_ACCESS_KEY_ID="+e.from.store.AccessKey, "AWS_SECRET_ACCESS_KEY="+e.from.store.SecretKey,
				"FROM_BUCKET="+e.from.name, "TO_BUCKET="+e.to.name)
			if bytes.Contains(text, []byte("SEARCH_URL")) {
				e.search = cluster{servers.OpenSearch(t)}
				e.set("SEARCH_URL=" + e.search.url)
				e.configure(t, strings.ReplaceAll(string(text), "index: loaded", "index: "+e.index))
				t.Cleanup(func() { e.search.ask(t, "DELETE", "/"+e.index, "") })
			}
			try(t, e)
		})
	}
	for name := range examples {
		if _, err := os.Stat("../examples/" + name); err != nil {
			t.Error(err)
		}
	}
}

func (e *example) set(env ...string) { e.env = append(e.env, env...) }

// once runs the example once.
func (e *example) once(t *testing.T) {
	t.Helper()
	if o := e.run(t, "--once"); o.Status != 0 {
		t.Fatalf("exit status %d\n%s", o.Status, o.Stderr)
	}
}

// loaded waits until the index has so many documents.
func (e *example) loaded(t *testing.T, n int64) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		e.search.ask(t, "POST", "/"+e.index+"/_refresh", "")
		if status, _ := e.search.ask(t, "HEAD", "/"+e.index, ""); status == 200 && e.search.count(t, e.index) == n {
			return
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("there are not %d documents", n)
		}
	}
}

// files gives the files below a directory, by path.
func (e *example) files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, root := map[string]string{}, filepath.Join(e.dir, dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// zipped is documents as a compressed object.
func zipped(docs []document, index string) []byte {
	var lines bytes.Buffer
	for _, d := range docs {
		fmt.Fprintf(&lines, "{\"_index\":%q,\"_id\":%q,\"_source\":%s}\n", index, d.ID, d.Source)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(lines.Bytes()) // to memory
	w.Close()
	return out.Bytes()
}

func equalObjects(t *testing.T, got, want map[string]string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
