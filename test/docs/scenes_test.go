package docs_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/test/servers"
)

// setting is what there is before a page is followed.
type setting struct {
	indices, buckets []string // names in the page, which others must not use
	makes            bool     // the page says where servers are, and makes its bucket itself
	repository       bool     // team/clusters.git
	before           string   // commands
}

// helpers are commands for what is there before a page begins.
const helpers = `
fill() { # INDEX RECORDS: an index of two shards
	curl -sSf -o /dev/null -X PUT -H 'Content-Type: application/json' -d '{"settings":{"number_of_shards":2,"number_of_replicas":0}}' "https://search.example:9200/$1"
	printf 'state: %s/.fill-%s\npipelines: {fill: {source: {generate: {records: %s, index: %s}}, sink: {opensearch: {url: "https://search.example:9200"}}}}\n' "$HOME" "$1" "$2" "$1" >"$HOME/.fill"
	sluice run -c "$HOME/.fill" >"$HOME/.out" 2>&1 || cat "$HOME/.out"
}
s3() { curl -sSf --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"; }
aws() { # as much of the tool as pages use: s3 cp - s3://BUCKET/KEY, s3 rm s3://BUCKET/KEY, s3 ls --recursive s3://BUCKET
	case "$2" in
	cp) s3 --data-binary @- -X PUT "https://s3.example/${4#s3://}";;
	rm) s3 -X DELETE "https://s3.example/${3#s3://}";;
	ls) s3 "https://s3.example/${4#s3://}?list-type=2" | grep -o '<Key>[^<]*\|<Size>[^<]*' | sed 's/<[^>]*>//' | paste - - | awk '{printf "2026-11-22 07:00:00 %10d %s\n", $2, $1}';;
	esac
}
`

// scene makes what there is before a page is followed, and a shell.
func scene(ctx context.Context, t *testing.T, path string) *shell {
	t.Helper()
	set := settings[path]
	env := []string{"SEARCH_PASSWORD=p", "GIT_TOKEN=" + servers.GitToken, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"}
	at := map[string]string{} // of a server in pages, its address
	if set.makes {            // as the page says that servers are found
		env = append(env, "SLUICE_TEST_OPENSEARCH="+servers.OpenSearch(t), "SLUICE_TEST_S3="+servers.S3(t).Endpoint)
		at["http://127.0.0.1:9200"], at["http://127.0.0.1:7070"] = servers.OpenSearch(t), servers.S3(t).Endpoint
	}
	if len(set.indices) > 0 && !set.makes {
		at["https://search.example:9200"] = servers.OpenSearch(t)
		env = append(env, "SLUICE_TEST_OPENSEARCH="+servers.OpenSearch(t))
		at["https://other.example:9200"] = strings.Replace(servers.OpenSearch(t), "127.0.0.1", "localhost", 1)
	}
	if len(set.buckets) > 0 {
		store := servers.S3(t)
		at["https://s3.example"] = store.Endpoint
		env = append(env, "SLUICE_TEST_S3="+store.Endpoint, "AWS_ACCESS_KEY_ID="+store.AccessKey, "AWS_SECRET_ACCESS_KEY="+store.SecretKey)
	}
	sh := newShell(ctx, t, env)
	if set.repository {
		at["https://git.example/team/clusters.git"] = sh.repository(t)
	}
	sh.call(slices.Concat(set.indices, set.buckets), at)
	set.clean(t, sh)
	for _, commands := range []string{helpers, set.before} {
		if out, err := sh.do(commands + "\n:"); err != nil || len(out) > 0 {
			t.Fatalf("what is there before the page: %v\n%s", err, strings.Join(out, "\n"))
		}
	}
	return sh
}

// call replaces names and addresses by those of this run, of the same length.
func (s *shell) call(names []string, at map[string]string) {
	s.unique, s.theirs = map[string]string{}, map[string]string{}
	var all []string
	for _, name := range names {
		if slices.ContainsFunc(names, func(other string) bool { return strings.HasSuffix(name, "-"+other) }) {
			continue // follows the other's
		}
		unique := []byte(name)
		for i := 1; i < len(unique); i++ {
			unique[i] = byte('a' + rand.IntN(26))
		}
		s.unique[name], s.theirs[string(unique)] = string(unique), name
		all = append(all, name, string(unique))
	}
	if len(all) > 0 {
		slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // a-b before a
		s.names = regexp.MustCompile(`\b(` + strings.Join(all, "|") + `)\b`)
	}
	there, back := []string{}, []string{s.home, "/home/you"}
	for page, address := range at {
		there, back = append(there, page, address), append(back, address, page)
	}
	s.real, s.shown = strings.NewReplacer(there...), strings.NewReplacer(back...)
}

// repository makes a repository, which git on this machine gets into, too.
func (s *shell) repository(t *testing.T) string {
	t.Helper()
	host := servers.Git(t)
	home, err := s.do("cd && pwd")
	if err != nil || len(home) != 1 {
		t.Fatal(home, err)
	}
	netrc := "machine 127.0.0.1 login x password " + servers.GitToken + "\n"
	if err := os.WriteFile(filepath.Join(home[0], ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	return host.Repository(t, "team/clusters.git").URL
}

// clean makes the buckets, and takes away what the page has made.
func (set setting) clean(t *testing.T, sh *shell) {
	t.Helper()
	for _, name := range set.buckets {
		newBucket(t, sh.unique[name], !set.makes)
	}
	for _, name := range set.indices {
		url := servers.OpenSearch(t)
		t.Cleanup(func() {
			r, err := http.NewRequest("DELETE", url+"/"+sh.as(name, sh.unique)+"?ignore_unavailable=true", nil)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			reply.Body.Close()
		})
	}
}

// newBucket makes a bucket, or expects that the page does, that goes with the test.
func newBucket(t *testing.T, name string, now bool) {
	t.Helper()
	store := servers.S3(t)
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(store.Endpoint), Region: store.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if now {
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
		if err != nil {
			t.Log(err) // the page has not made it
			return
		}
		for _, o := range list.Contents {
			client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: o.Key})
		}
		client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name})
	})
}

func TestEverySettingIsOfAPage(t *testing.T) {
	known := map[string]bool{}
	for _, p := range pages(t) {
		known[p.path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(settings)) {
		if !known[path] {
			t.Errorf("there is no %s", path)
		}
	}
}
