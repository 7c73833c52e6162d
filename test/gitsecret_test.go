package test

import (
	"bytes"
	"encoding/base64"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/processes"
	"sluice/test/servers"
)

// spy looks for secrets wherever others could see them.
type spy struct {
	secrets []string // and what they look like in a header
	mu      sync.Mutex
	looked  map[string]int // places, by kind
	found   []string
}

func newSpy(secrets ...string) *spy {
	s := &spy{looked: map[string]int{}}
	for _, secret := range secrets {
		s.secrets = append(s.secrets, secret, base64.StdEncoding.EncodeToString([]byte(secret)))
		for _, user := range []string{"x-access-token", "oauth2", "git", "robot"} {
			s.secrets = append(s.secrets, base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
		}
	}
	return s
}

// look looks at a text.
func (s *spy) look(kind, place string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked[kind]++
	for _, secret := range s.secrets {
		if bytes.Contains(text, []byte(secret)) {
			s.found = append(s.found, kind+" "+place)
		}
	}
}

// around looks at what a program has written below its directory, its
// configuration aside, and at the arguments of all its processes.
func (s *spy) around(j *job) {
	filepath.WalkDir(j.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "sluice.yaml" && d.Name() != "secret" {
			text, _ := os.ReadFile(path) // it may have gone
			s.look("file", path, text)
		}
		return nil
	})
	for _, p := range processes.Family(os.Getpid()) {
		if strings.Contains(p.Arguments, "git") || strings.Contains(p.Arguments, "sluice") {
			s.look("arguments", p.Arguments, []byte(p.Arguments))
		}
	}
}

// TestASecretIsFoundNowhere while it is used, when it is refused, when the
// remote fails, and afterwards.
func TestASecretIsFoundNowhere(t *testing.T) {
	for name, credentials := range map[string]struct {
		secret  string
		options []string
	}{
		"token":          {"canary+tok/en=1", []string{"token: canary+tok/en=1"}},
		"token in file":  {"canarytoken2", []string{"token_file: ./secret"}},
		"token, of ours": {"canarytoken3", []string{`token: "${CANARY}"`}},
		"password":       {"canary:pass@word", []string{"username: robot", `password: "canary:pass@word"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpy(credentials.secret)
			host := servers.Git(t)
			host.Accept(credentials.secret)
			p := faultproxy.New(t, host.URL)
			b := backupTo(t, few(), history{host.Repository(t, "backup.git")}, p)
			b.remote = p
			if err := os.WriteFile(filepath.Join(b.dir, "secret"), []byte(credentials.secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.env = []string{"CANARY=" + credentials.secret, "GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_CURL_VERBOSE=1"}
			options := append([]string{`url: "` + p.URL + `/backup.git"`, "branch: main", "retry: 2s"}, credentials.options...)
			stages := stage("git", append(options, "path: clusters", "strip: in/")...)
			b.configure(t, pipelines(
				entry("sync", b.bucket.stage(b.store.URL, "prefix: in/"), "[]", stages),
				entry("back", stage("git", append(options, "path: clusters")...), "[]", stage("file", "path: ./back"))))
			look := func(t *testing.T, status int, pipeline string) {
				t.Helper()
				o := b.want(t, status, pipeline, "--log-level", "debug")
				s.look("log", pipeline, []byte(o.Stderr))
				s.around(b.job)
			}
			used := p.Add(&faultproxy.Rule{Times: -1, Do: func() { s.around(b.job) }})
			look(t, 0, "sync")
			look(t, 0, "back")
			b.change(t, 3)
			for _, status := range []int{401, 403, 404, 500} {
				p.Clear()
				p.Add(&faultproxy.Rule{Match: receive, Times: -1, Status: status, Do: func() { s.around(b.job) }})
				look(t, 1, "sync")
			}
			p.Clear()
			p.Add(&faultproxy.Rule{Times: -1, Cut: true})
			look(t, 1, "sync")
			p.Clear()
			p.Add(&faultproxy.Rule{Times: -1, Status: 302, Header: map[string]string{"Location": "http://" + credentials.secret + "@127.0.0.1:1/"}})
			look(t, 1, "sync")
			if used.Hits() == 0 || s.looked["arguments"] < 10 || s.looked["file"] < 10 {
				t.Errorf("looked at %v in %d requests: too little", s.looked, used.Hits())
			}
			if len(s.found) > 0 {
				t.Errorf("a secret is in %d places, among them %q", len(s.found), s.found[:min(3, len(s.found))])
			}
		})
	}
}

// freeAddress is one of this machine that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestASecretIsInNoMetric nor in the page of health.
func TestASecretIsInNoMetric(t *testing.T) {
	s := newSpy(servers.GitToken)
	b := newBackup(t, few())
	address := freeAddress(t)
	text, err := os.ReadFile(filepath.Join(b.dir, "sluice.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b.configure(t, "http: "+address+"\n"+string(text)+"    every: 1s\n")
	b.remote.Add(&faultproxy.Rule{Skip: 6, Times: -1, Status: 401})
	p := b.start(t, "run", "sync")
	for begin := time.Now(); s.looked["page"] < 8; time.Sleep(300 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the program does not answer")
		}
		for _, page := range []string{"/metrics", "/healthz", "/readyz"} {
			reply, err := http.Get("http://" + address + page)
			if err != nil {
				continue
			}
			body, err := io.ReadAll(reply.Body)
			reply.Body.Close()
			if err == nil {
				s.look("page", page, body)
			}
		}
	}
	p.cmd.Process.Kill()
	s.look("log", "", []byte(p.wait(t).Stderr))
	if len(s.found) > 0 {
		t.Errorf("a secret is in %q", s.found)
	}
}
