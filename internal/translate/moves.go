package translate

import (
	"fmt"
	"strings"
)

// Move is a move that has a name, such as search-to-s3.
type Move struct {
	Name, About string

	source, sink side
	shape        func(p *plan)
}

// Option is what can be said of a move, as SIDE-NAME.
type Option struct{ Name, Usage string }

// side is one end of a move: a kind of system, and what is asked of it.
type side struct {
	options []asked
	stage   func(p *plan, side string, get func(name string) string) stage
}

// asked is an option with its example, which is written if none is given; an
// option without an example is left out then.
type asked struct{ name, example, usage string }

// Moves are the moves that have names.
func Moves() []*Move {
	read, written, objects := cluster("logs-*"), cluster(""), bucket()
	return []*Move{
		{"search-to-s3", "Indices of Elasticsearch or OpenSearch into objects of a bucket", read, objects, searchToS3},
		{"s3-to-search", "Objects of a bucket into Elasticsearch or OpenSearch", objects, written, s3ToSearch},
		{"search-to-search", "Indices of one cluster into another", read, written, searchToSearch},
		{"s3-to-s3", "Objects of one bucket into another", objects, objects, s3ToS3},
		{"s3-to-git", "Objects of a bucket as the history of a Git repository", objects, git("backups"), s3ToGit},
		{"git-to-s3", "Files of a Git repository into a bucket", git(""), objects, gitToS3},
	}
}

// Options are those of a move.
func (m *Move) Options() (list []Option) {
	for _, end := range m.ends() {
		for _, o := range end.options {
			usage := fmt.Sprintf("%s of the %s", o.usage, end.name)
			if o.example != "" {
				usage += fmt.Sprintf(" (an example, if it is not given: %s)", o.example)
			}
			list = append(list, Option{end.name + "-" + o.name, usage})
		}
	}
	return list
}

// end is a side with its name.
type end struct {
	side
	name string
}

func (m *Move) ends() []end { return []end{{m.source, "source"}, {m.sink, "sink"}} }

// Write makes the configuration of a move with options by name.
func (m *Move) Write(options map[string]string) *Result {
	p := &plan{title: m.About + ", written by sluice init " + m.Name + ".", name: m.Name}
	p.head = mapping{{key: "state", value: "./state", about: "What has been done is kept here: keep it between runs."}}
	p.head.hint("http", "127.0.0.1:9600", "Health, metrics and the state of things:")
	stages := map[string]stage{}
	for _, end := range m.ends() {
		var examples []string
		get := func(name string) string {
			value := options[end.name+"-"+name]
			for _, o := range end.options {
				if o.name == name && value == "" && o.example != "" {
					examples, value = append(examples, name), o.example
				}
			}
			return value
		}
		stages[end.name] = end.stage(p, end.name, get)
		for _, name := range examples {
			p.examples = append(p.examples, fmt.Sprintf("%s of the %s (--%s-%s)", name, end.name, end.name, name))
		}
	}
	p.source, p.sink = stages["source"], stages["sink"]
	m.shape(p)
	return p.result()
}

func cluster(index string) side {
	what := "index or pattern, or a list with commas,"
	if index == "" {
		what = "index (default: that of each record)"
	}
	options := []asked{
		{"url", "https://search.example:9200", "address"},
		{"index", index, what},
		{"username", "", "user"},
	}
	return side{options, func(p *plan, side string, get func(string) string) stage {
		s := stage{kind: "opensearch"}
		m := &s.options
		*m = append(*m, entry{key: "url", value: get("url"), about: "elasticsearch: in the place of opensearch: means the same."})
		if side == "sink" {
			m.set("index", get("index"))
		} else {
			m.set("index", split(get("index")))
		}
		variable := strings.ToUpper(side) + "_PASSWORD"
		if user := get("username"); user != "" {
			p.login(m, user, p.secret(variable, "the password of "+user))
			return s
		}
		m.hint("username", "reader", "")
		m.hint("password", reference(variable), "")
		return s
	}}
}

func bucket() side {
	options := []asked{
		{"bucket", "my-bucket", "bucket"},
		{"prefix", "", "beginning of the keys"},
		{"endpoint", "", "URL of the store, if it is not AWS,"},
		{"region", "", "region"},
	}
	return side{options, func(p *plan, side string, get func(string) string) stage {
		s := stage{kind: "s3"}
		m := &s.options
		m.set("bucket", get("bucket"))
		m.set("prefix", get("prefix"))
		if endpoint := get("endpoint"); endpoint != "" {
			m.set("endpoint", endpoint)
		} else {
			m.hint("endpoint", "https://minio.example:9000", "Of a store that is not AWS:")
		}
		if region := get("region"); region != "" {
			m.set("region", region)
		} else {
			m.hint("region", "us-east-1", "")
		}
		name := strings.ToUpper(side)
		m.hint("access_key", reference(name+"_ACCESS_KEY"), "Without these, credentials come from where AWS tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, the role of the machine.")
		m.hint("secret_key", reference(name+"_SECRET_KEY"), "")
		return s
	}}
}

func git(path string) side {
	options := []asked{
		{"url", "https://git.example/team/backups.git", "address"},
		{"branch", "main", "branch"},
		{"path", path, "directory in the repository"},
	}
	return side{options, func(p *plan, side string, get func(string) string) stage {
		s := stage{kind: "git"}
		url := get("url")
		s.options.set("url", url)
		s.options.set("branch", get("branch"))
		s.options.set("path", get("path"))
		p.repository(&s.options, url)
		return s
	}}
}

// repository adds what lets in at a repository.
func (p *plan) repository(m *mapping, url string) {
	switch {
	case strings.HasPrefix(url, "https:"):
		m.set("token", p.secret("GIT_TOKEN", "an access token of the repository"))
	case strings.HasPrefix(url, "ssh:") || strings.Contains(url, "@") && !strings.Contains(url, "://"):
		m.set("ssh_key", "/etc/sluice/ssh-key")
		*m = append(*m, entry{key: "known_hosts", value: "/etc/sluice/known_hosts", about: "As ssh-keyscan prints them; compare them with what the host publishes."})
		p.note("ssh_key and known_hosts are paths that you choose: put the files there")
	}
}

func searchToS3(p *plan) {
	m := &p.source.options
	m.hint("query", `{"range": {"@timestamp": {"gte": "now-1d/d"}}}`, "Which documents; without it, all.")
	m.hint("take", []string{"data", "indices"}, "Settings, mappings and aliases, too, as {index}/_index.json:")
	p.transforms = []stage{{kind: "gzip"}}
	p.sink.options.set("key", "{index}/{lane}/{pass}-{sequence}.ndjson.gz")
	p.again("What is new since the last pass, each five minutes, in the place of everything once:", "5m")
}

func s3ToSearch(p *plan) {
	p.transforms = unpacked()
	m := &p.sink.options
	m.hint("index", "restored-{index}", "Another index than the one that records name:")
	m.hint("create", mapping{{key: "metadata", value: true}}, "Indices are made as they were, of {index}/_index.json, if the objects have that beside them:")
	m.hint("backfill", true, "No refreshes and replicas until all is there:")
	p.deadLetters()
	p.again("What is new in the bucket, each minute, in the place of everything once:", "1m")
}

func searchToSearch(p *plan) {
	p.source.options.set("take", []string{"data", "indices"})
	m := &p.sink.options
	m.hint("index", "new-{index}", "Another name:")
	*m = append(*m, entry{key: "create", value: mapping{{key: "metadata", value: true}}, about: "Indices are made first, with the settings, mappings and aliases that they have at the source."})
	m.hint("backfill", true, "No refreshes and replicas until all is there:")
	p.deadLetters()
	p.again("What changes goes on to follow, each minute, in the place of everything once:", "1m")
}

func s3ToS3(p *plan) {
	m := &p.sink.options
	m.hint("mirror", true, "What is gone at the source is deleted here, too, unless that is more than a fifth; first with sluice run --dry-run.")
	m.hint("max_delete", "20%", "")
	p.again("What is new, each ten minutes, in the place of everything once:", "10m")
}

// manifests is what the transform for manifests is good for.
const manifests = "Of manifests of Kubernetes: what clusters write into them (status, uid, resourceVersion and the like) is left out, so that history shows what people changed."

func s3ToGit(p *plan) {
	m := &p.sink.options
	m.hint("group", 2, "A commit for each directory of two levels (cluster/namespace), in the place of one:")
	m.hint("author", mapping{{key: "name", value: "Backup"}, {key: "email", value: "backup@example.com"}}, "")
	*m = append(*m, entry{key: "max_delete", value: "20%", about: "What is gone in the bucket is deleted in the repository; if it were more than this, the pass fails."})
	p.rest.hint("transforms", []string{"manifest"}, manifests)
	p.rest.hint("every", "10m", "What a pass made is a commit, if something changed. Without this there is one pass.")
}

func gitToS3(p *plan) {
	p.rest = append(p.rest, entry{key: "mode", value: "new", about: "Each pass takes what changed since the last one; files that are gone are deleted."})
	p.rest.hint("every", "1m", "")
}

// again hints at passes of what is new.
func (p *plan) again(about, every string) {
	p.rest.hint("mode", "new", about)
	p.rest.hint("every", every, "")
}
