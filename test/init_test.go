package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice/test/servers"
)

// told is a command line of another tool, or its environment: a file in the
// testdata of package translate. It is translated and run, with other names in
// the place of those in it: {search} is the address of a cluster and {a} an
// index there of 30 documents, {s3} that of a store, {host} without http://, and
// {bucket} a bucket there, {git} a repository, and {b} a name that nobody has.
type told struct {
	swap []string // pairs: names, and what takes their place
	edit []string // pairs: the same in the configuration
	seed string   // file:PATH or s3:KEY, which gets the documents, compressed if it ends with .gz
	to   string   // index:NAME, file:PATTERN or s3:PREFIX, which is to have
	want int      // so many documents
	has  string   // and one of them this
}

const (
	esSearch = "http://production.es.com:9200/my_index"
	s3Stage  = "      s3:\n"
)

var (
	toB    = "index:{b}"
	local  = []string{"http://localhost:9200", "{search}", "http://localhost:9201", "{search}", "src_index", "{a}", "dest_index", "{b}"}
	ported = []string{"0.0.0.0:8080", "127.0.0.1:0"}
	synced = []string{"minio.example.com:9000", "{host}", "minio.company.com:9000", "{host}", "minio.apps.my-openshift.com", "{host}", "minio.apps.openshift.example.com", "{host}",
		"MINIO_USE_SSL=true", "MINIO_USE_SSL=false", "openshift-cluster-backups", "{bucket}", "openshift-production-backups", "{bucket}", "multi-cluster-backups", "{bucket}",
		"MINIO_BUCKET=cluster-backups", "MINIO_BUCKET={bucket}", "/workspace", "work",
		"https://github.com/your-org/cluster-backups.git", "{git}", "https://github.com/walbis/fortest.git", "{git}", "https://github.com/company/cluster-backups.git", "{git}",
		"https://github.com/my-org/backups.git", "{git}", "https://github.com/your-org/openshift-backups.git", "{git}", "https://github.com/your-org/multi-cluster-backups.git", "{git}"}
	dumped = []string{"https://localhost:9200", "{search}", "https://search:9200", "{search}", "=archive", "={bucket}", " archive", " {bucket}"}
	// es-to-s3-dumper knows no other store than AWS.
	placed = []string{s3Stage, s3Stage + "        endpoint: {s3}\n", "eu-central-1", "us-east-1", "us-west-2", "us-east-1"}
)

var runs = map[string]told{
	"elasticdump/copy-data":    {swap: []string{esSearch, "{search}/{a}", "http://staging.es.com:9200/my_index", "{search}/{b}"}, to: toB, want: 30},
	"elasticdump/copy-mapping": {swap: []string{esSearch, "{search}/{a}", "http://staging.es.com:9200/my_index", "{search}/{b}"}, to: toB},
	"elasticdump/backup":       {swap: []string{esSearch, "{search}/{a}", "/data/", "out/"}, to: "file:out/my_index-{a}-*.json", want: 30},
	"elasticdump/environment":  {swap: []string{esSearch, "{search}/{a}", "/data/", "out/"}, to: "file:out/*.json", want: 30},
	"elasticdump/query":        {swap: []string{esSearch, "{search}/{a}"}, to: "file:query-*", want: 10},
	"elasticdump/query-file":   {swap: []string{esSearch, "{search}/{a}", "@/data/", "@"}, to: "file:query-*", want: 20, has: `"_source":{"n":11}`},
	"elasticdump/split":        {swap: []string{esSearch, "{search}/{a}", "/data/", "out/"}, to: "file:out/*", want: 30},
	"elasticdump/from-s3":      {swap: []string{esSearch, "{search}/{b}", "my_bucket", "{bucket}"}, edit: placed, seed: "s3:my_file.json", to: toB, want: 30},
	"elasticdump/to-minio":     {swap: []string{esSearch, "{search}/{a}", "my_bucket", "{bucket}", "https://production.minio.co", "{s3}"}, to: "s3:my_file-", want: 30},
	"elasticdump/to-s3":        {swap: []string{"http://10.0.1.136:9200/group_1_traces_2019-12_traces_12", "{search}/{a}", "//bucket", "//{bucket}"}, edit: placed, to: "s3:registry-", want: 30},
	"elasticdump/old-s3":       {swap: []string{esSearch, "{search}/{a}", "my-bucket", "{bucket}"}, edit: placed, to: "s3:my-file-", want: 30},
	"elasticdump/big-file":     {swap: []string{"localhost:9200/my_index", "{cluster}/{a}", "/data/", "out/"}, to: "file:out/data-*", want: 30},
	"elasticdump/no-refresh":   {swap: []string{"http://10.0.0.1:9200/my_index", "{search}/{a}", "http://10.0.0.2:9200/my_index", "{search}/{b}"}, to: toB, want: 30},
	"elasticdump/compressed":   {swap: []string{"http://localhost:9025/entity-person-search-test", "{search}/{a}", "/F/", "F/"}, to: "file:F/tmp/elastic-search/out-*.gz", want: 30},
	"elasticdump/auth-file":    {swap: []string{"https://estrialdata001A.mgmt.tv3cloud.net:9200/spark_app_log-2018.06.17", "{search}/{a}", "/tmp/", ""}, to: "file:spark-*", want: 30},
	"elasticdump/delete":       {swap: []string{"http://hostname1:9200/index1", "{search}/{a}", "http://hostname1:9200/index2", "{search}/{b}"}, to: toB, want: 30},
	"elasticdump/load":         {swap: []string{"http://localhost:9200/", "{search}/", "/home/pvc/Downloads/backup/", ""}, seed: "file:omni-es.json", to: toB, want: 30},
	"elasticdump/size-in-body": {swap: []string{"server:9200/myindex", "{cluster}/{a}", "http://user", "http://user"}, to: "file:my.data-*", want: 30},
	"elasticdump/insecure":     {swap: []string{"https://", "http://", "localhost:9200/linux-91-sysflow-bh22-20220727", "{cluster}/{b}"}, seed: "file:data/linux-91-sysflow-bh22-20220727.json", to: toB, want: 30},
	"elasticdump/transform":    {swap: []string{"https://", "http://", "es.example.org/bso-mentions", "{cluster}/{b}", "/data/", ""}, seed: "file:current_mentions_1.jsonl", to: toB, want: 30},
	"elasticdump/api-key":      {swap: []string{"https://es.example:9243/logs", "{search}/{b}"}, seed: "file:dump.json.gz", to: "index:new-{b}-2", want: 30},

	"multielasticdump/ending":          {swap: []string{"http://production.es.com:9200", "{search}", "-index$", "{a}$", "/tmp/", ""}, to: "file:es_backup/{a}-*.json", want: 30},
	"multielasticdump/compressed":      {swap: []string{"http://127.0.0.1:9200", "{search}", "^apro", "^{a}", "/mnt/", ""}, to: "file:es_dump/{a}-*.json.gz", want: 30},
	"multielasticdump/to-s3":           {swap: []string{"https://log:hunter2@server/", "{search}", "//bucket/", "//{bucket}/", "https://s3.example.org", "{s3}", "=index-creator", "=^{a}$", "eu-west-1", "us-east-1"}, to: "s3:server/index-creator/{a}-", want: 30},
	"multielasticdump/load-compressed": {swap: []string{"http://127.0.0.1:9200", "{search}", "/mnt/", ""}, seed: "file:es_dump/{b}.json.gz", to: toB, want: 30},
	"multielasticdump/load":            {swap: []string{"http://localhost:32800", "{search}"}, seed: "file:es_backup/{b}.json", to: toB, want: 30},
	"multielasticdump/archive":         {swap: []string{"http://aa-data-import--elasticsearch:9200", "{search}"}, seed: "file:imports/elasticsearch/{b}.json.gz", to: toB, want: 30},
	"multielasticdump/prefix":          {swap: []string{"http://mloop-elasticsearch-es-http:9200", "{search}", "/data/", ""}, seed: "file:es_backup/{b}.json", to: "index:mdt{b}", want: 30},
	"multielasticdump/transforms":      {swap: []string{"https://me:hunter2@es.example", "{search}"}, seed: "file:data/{b}.json", to: toB, want: 30},
	"multielasticdump/from-s3":         {swap: []string{"http://localhost:9200", "{search}", "//backup/", "//{bucket}/", "(logs|metrics)", "({b}|metrics)", "-.*$", ".*$"}, edit: placed, seed: "s3:es/{b}.json", to: toB, want: 30},

	"esm/copy":            {swap: []string{"http://192.168.1.x:9200", "{search}", "http://192.168.1.y:9200", "{search} -y {b}", "index_name", "{a}"}, to: toB, want: 30},
	"esm/rename-index":    {swap: local, to: toB, want: 30},
	"esm/sync":            {swap: local, to: toB, want: 30},
	"esm/basic-auth":      {swap: local, to: toB, want: 30},
	"esm/shards":          {swap: local, to: toB, want: 30},
	"esm/recreate":        {swap: local, to: toB, want: 30},
	"esm/dump":            {swap: local, to: "file:dump-*.bin", want: 30},
	"esm/compare":         {swap: local, to: "file:src-*.json", want: 30},
	"esm/load":            {swap: local, seed: "file:dump.bin", to: toB, want: 30},
	"esm/sliced":          {swap: []string{"http://192.168.3.206:9200", "{search}", "http://localhost:9200", "{search} -y {b}", "bestbuykaggle", "{a}"}, to: toB, want: 30},
	"esm/types":           {swap: []string{"http://source_es:9200", "{search}", "https://target_es:9200", "{search} -y {b}", "source_index", "{a}"}, to: toB, want: 30},
	"esm/rename-fields":   {swap: append([]string{"https://localhost:9200", "{search}", `"source"`, "{a}", `"target"`, "{b}"}, local...), to: toB, want: 30, has: `"myage":7`},
	"esm/range":           {swap: []string{"https://192.168.3.98:9200", "{search}", "kibana_sample_data_ecommerce", "{a}"}, to: "file:json-*.out", want: 30},
	"esm/repeat":          {swap: append([]string{"target-index1", "{b}"}, local...), seed: "file:input.json", to: toB, want: 30},
	"esm/fields":          {swap: append([]string{"my_index", "{a}"}, local...), to: "file:dump-*.json", want: 30, has: `"_source":{"author":"a","title":"t"}`},
	"esm/load-renamed":    {swap: append([]string{"target-index41", "{b}"}, local...), seed: "file:dump.json", to: toB, want: 30, has: `"newtitle":"t"`},
	"esm/compress-false":  {swap: []string{"https://localhost:8000", "{search}", "logs1kw", "{a}", "logs122", "{b}"}, to: toB, want: 30},
	"esm/three-shards":    {swap: []string{"http://10.28.0.56:39200", "{search}", "http://10.38.0.44:19200", "{search}", "dgip_vehicle-2020.08.31-100027", "{a}", "dgip_vehicle_rs_3_1", "{b}"}, to: toB, want: 30},
	"esm/password-in-url": {swap: []string{"https://", "http://", "id.domain.cn:9343", "{cluster}", "id.domain.cn:8000", "{cluster}", "medcl23", "{b}", "medcl2", "{a}"}, to: toB, want: 30},

	"es-to-s3-dumper/plain":                {swap: append([]string{"logs", "{a}"}, dumped...), edit: placed, to: "s3:{a}_s_", want: 30},
	"es-to-s3-dumper/usage":                {swap: append([]string{"logs", "{a}"}, dumped...), edit: placed, to: "s3:dumps/{a}_s_", want: 30},
	"es-to-s3-dumper/environment":          {swap: append([]string{"=logs ", "={a} "}, dumped...), edit: placed, to: "s3:logs/{a}_s_", want: 30},
	"es-to-s3-dumper/pattern":              {swap: append([]string{"logs-*", "{a}*"}, dumped...), edit: placed, to: "s3:{a}_s_", want: 30},
	"es-to-s3-dumper/prefix-without-slash": {swap: append([]string{"logs-2023.07.24", "{a} -es-url={search}"}, dumped...), edit: placed, to: "s3:2023-07-{a}_s_", want: 30},
	"es-to-s3-dumper/small-files":          {swap: append([]string{"logs", "{a} -es-url={search}"}, dumped...), edit: placed, to: "s3:{a}_s_", want: 30},
	"es-to-s3-dumper/profile":              {swap: append([]string{"logs", "{a} -es-url={search}"}, dumped...), edit: placed, to: "s3:{a}_s_", want: 30},

	"git-sync/readme":               {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/cronjob":              {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/branch-of-a-cluster":  {swap: append([]string{"backups/production-east", "main"}, synced...), edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/helm":                 {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/helm-production":      {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/helm-simple":          {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/openshift":            {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/openshift-production": {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
	"git-sync/openshift-central":    {swap: synced, edit: ported, seed: "s3:clusterbackup/c/n/deployment/a.yaml", to: "git:"},
}

// always are those that run wherever tests do; make test-faults runs all of them.
var always = []string{"elasticdump/to-minio", "elasticdump/query-file", "multielasticdump/from-s3", "esm/recreate", "es-to-s3-dumper/usage", "git-sync/readme"}

// TestWhatOthersWereToldRuns translates command lines and runs the result.
func TestWhatOthersWereToldRuns(t *testing.T) {
	for name, r := range runs {
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(always, name) {
				long(t)
			}
			a, err := txtar.ParseFile("../internal/translate/testdata/" + name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			s := newScene(t)
			var command, env string
			for _, f := range a.Files {
				switch f.Name {
				case "command":
					command = s.swap(string(f.Data), r.swap)
				case "env":
					env = s.swap(string(f.Data), r.swap)
				default:
					s.write(t, f.Name, f.Data)
				}
			}
			tool := filepath.Dir(name)
			args := []string{"init", tool, "-o", "-"}
			if env != "" {
				s.write(t, "env", []byte(env))
				args = append(args, "--env-file", "env")
			}
			out, err := exec.Command("sh", "-c", `printf '%s\0' `+command).Output()
			if err != nil {
				t.Fatal(err)
			}
			if command != "" {
				args = append(append(args, "--"), strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")...)
			}
			s.plant(t, r)
			o := s.command(t, 0, args...)
			s.runs(t, o, r)
		})
	}
}

// moving are the moves that init knows, with the options that a scene needs.
var moving = map[string]struct {
	options string
	told
}{
	"search-to-s3":     {"--source-url={search} --source-index={a} --sink-bucket={bucket} --sink-endpoint={s3}", told{to: "s3:{a}/", want: 30}},
	"s3-to-search":     {"--source-bucket={bucket} --source-endpoint={s3} --source-prefix=in/ --sink-url={search} --sink-index={b}", told{seed: "s3:in/a.json.gz", to: toB, want: 30}},
	"search-to-search": {"--source-url={search} --source-index={a} --sink-url={search} --sink-index={b}", told{to: toB, want: 30}},
	"s3-to-s3":         {"--source-bucket={bucket} --source-prefix=in/ --source-endpoint={s3} --source-region=us-east-1 --sink-bucket={bucket} --sink-prefix=out/ --sink-endpoint={s3}", told{seed: "s3:in/a.json", to: "s3:out/", want: 30}},
	"s3-to-git":        {"--source-bucket={bucket} --source-endpoint={s3} --sink-url={git} --sink-path=clusterbackup --sink-branch=main", told{seed: "s3:c/n/deployment/a.yaml", to: "git:"}},
	"git-to-s3":        {"--source-url={git} --source-path=in --sink-bucket={bucket} --sink-endpoint={s3}", told{seed: "git:in/a.json", to: "s3:a.json", want: 30}},
}

// TestMovesRun runs what init writes for each move.
func TestMovesRun(t *testing.T) {
	for name, m := range moving {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.plant(t, m.told)
			args := append([]string{"init", name, "-o", "-"}, strings.Fields(s.words.Replace(m.options))...)
			s.runs(t, s.command(t, 0, args...), m.told)
		})
	}
}

// scene is what a configuration runs on.
type scene struct {
	*job
	search cluster
	bucket *bucket
	git    history
	a, b   string
	words  *strings.Replacer
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{job: newJob(t, ""), search: openSearch(t), bucket: newBucket(t), git: history{servers.Git(t).Repository(t, "team/backups.git")}}
	s.a = strings.ReplaceAll(unique(t), "-", "")[20:] + "a"
	s.b = strings.TrimSuffix(s.a, "a") + "b"
	host := strings.TrimPrefix(s.bucket.store.Endpoint, "http://")
	s.words = strings.NewReplacer("{search}", s.search.url, "{cluster}", strings.TrimPrefix(s.search.url, "http://"), "{a}", s.a, "{b}", s.b,
		"{s3}", s.bucket.store.Endpoint, "{host}", host, "{bucket}", s.bucket.name, "{git}", s.git.Dir)
	s.env = []string{"AWS_ACCESS_KEY_ID=" + s.bucket.store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.bucket.store.SecretKey}
	t.Cleanup(func() {
		for _, index := range []string{s.b, "new-" + s.b + "-2", "mdt" + s.b} {
			s.search.ask(t, "DELETE", "/"+index, "")
		}
	})
	return s
}

// swap puts names of the scene into a text.
func (s *scene) swap(text string, pairs []string) string {
	return s.words.Replace(strings.NewReplacer(pairs...).Replace(text))
}

func (s *scene) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// plant puts 30 documents where the source is.
func (s *scene) plant(t *testing.T, r told) {
	t.Helper()
	var docs []document
	for i := range 30 {
		user := map[bool]string{true: "admin", false: "guest"}[i%3 == 0]
		docs = append(docs, document{ID: fmt.Sprint(i), Source: json.RawMessage(
			fmt.Sprintf(`{"n":%d,"username":%q,"title":"t","author":"a","age":7,"query":"phone mixer","order_date":"2020-02-15T00:00:00Z"}`, i, user))})
	}
	kind, name, _ := strings.Cut(s.words.Replace(r.seed), ":")
	data := zipped(docs, s.b)
	if !strings.HasSuffix(name, ".gz") {
		data = unzipped(t, data)
	}
	switch kind {
	case "file":
		s.write(t, name, data)
		s.write(t, strings.TrimSuffix(name, ".json")+".mapping.json", []byte(`{"x":{"mappings":{}}}`+"\n"))
	case "s3":
		s.bucket.put(t, name, data)
	case "git":
		s.git.edit(t, content{name: string(data)})
	default:
		s.search.index(t, s.a, 2, "{}")
		s.search.put(t, s.a, docs)
	}
}

func unzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	if !bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		return data
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var exported = regexp.MustCompile(`(?m)^  export (\w+)=`)

// runs runs what init wrote, with the secrets that it wants, and looks at what
// became of it.
func (s *scene) runs(t *testing.T, written outcome, r told) {
	t.Helper()
	for _, m := range exported.FindAllStringSubmatch(written.Stderr, -1) {
		value := "x"
		switch {
		case strings.Contains(m[1], "SECRET"):
			value = s.bucket.store.SecretKey
		case strings.Contains(m[1], "ACCESS_KEY"):
			value = s.bucket.store.AccessKey
		}
		s.env = append(s.env, m[1]+"="+value)
	}
	s.configure(t, s.swap(written.Stdout, r.edit))
	if o := s.run(t); o.Status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", o.Status, written.Stdout, o.Stderr)
	}
	kind, name, _ := strings.Cut(s.words.Replace(r.to), ":")
	text := ""
	switch kind {
	case "index":
		for _, d := range s.search.documents(t, name) {
			text += d + "\n"
		}
	case "file":
		files, _ := filepath.Glob(filepath.Join(s.dir, name))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text += string(unzipped(t, data))
		}
	case "s3":
		for _, data := range s.bucket.objects(t, name) {
			text += string(unzipped(t, []byte(data)))
		}
	case "git":
		key := strings.TrimPrefix(s.words.Replace(r.seed), "s3:")
		equal(t, "repository", s.git.at(t, "main"), content{"clusterbackup/" + strings.TrimPrefix(key, "clusterbackup/"): string(s.bucket.get(t, key))})
		return
	}
	if got := strings.Count(text, "\n"); got != r.want || !strings.Contains(text, r.has) {
		t.Errorf("got %d documents, want %d with %s\n%s\n%.500s", got, r.want, r.has, written.Stdout, text)
	}
}
