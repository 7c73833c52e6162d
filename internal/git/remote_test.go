package git_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/git"
	"sluice/internal/unit"
	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// main is the reference that the tests of remotes move.
const main = "refs/heads/main"

// reach makes the remote that options say.
func reach(t *testing.T, c git.Config) *git.Remote {
	t.Helper()
	for _, p := range c.Problems() {
		t.Fatalf("%s: %s", p.Option, p.Message)
	}
	r, err := c.Remote()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// open makes a repository beside a remote.
func open(t *testing.T, c git.Config) (*git.Repo, error) {
	t.Helper()
	r, err := git.Create(t.Context(), t.TempDir(), reach(t, c))
	if err == nil {
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return r, err
}

func mustOpen(t *testing.T, c git.Config) *git.Repo {
	t.Helper()
	r, err := open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// first makes a commit without a parent.
func first(t *testing.T, r *git.Repo) git.OID {
	t.Helper()
	im, err := r.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if err := add(im, r, git.Commit{Ref: main, Message: t.Name()}, files{"a": "1\n"}); err != nil {
		t.Fatal(err)
	}
	ids, err := im.Done()
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// refused checks that an error is of a kind, and says some words.
func refused(t *testing.T, err error, kind git.Kind, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*git.Refused](err)
	if !ok || e.Kind != kind {
		t.Errorf("got %v, want %s", err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want %q in it", err, w)
		}
	}
}

func http1(h *servers.GitHost, name string) git.Config {
	return git.Config{URL: h.URL + "/" + name, Token: servers.GitToken, Retry: unit.Duration(20 * time.Second)}
}

func TestASecretIsInNoArgumentFileOrMessage(t *testing.T) {
	h := servers.Git(t)
	there := h.Repository(t, "x.git")
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + servers.GitToken))
	there.Hook(t, "pre-receive", "sleep 0.3; echo it was "+servers.GitToken+" and "+basic)
	scratch := t.TempDir()
	c := http1(h, "x.git")
	var r *git.Repo
	arguments := watch(t, func() {
		var err error
		if r, err = git.Create(t.Context(), scratch, reach(t, c)); err != nil {
			t.Fatal(err)
		}
		if err := r.Push(t.Context(), git.Update{Ref: main, New: first(t, r)}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Fetch(t.Context(), git.Want{Ref: main}); err != nil {
			t.Fatal(err)
		}
	})
	defer r.Close()
	if !strings.Contains(arguments, "remote-http") || !strings.Contains(arguments, "push") {
		t.Errorf("got %d bytes of arguments, want those of the push among them", len(arguments))
	}
	there.Hook(t, "pre-receive", "echo it was "+servers.GitToken+" and "+basic+"; exit 1")
	err := r.Push(t.Context(), git.Update{Ref: "refs/heads/other", New: first(t, r)})
	refused(t, err, git.Hook, "remote: it was *** and ***", "push "+h.URL+"/x.git main: ")
	seen := arguments + err.Error()
	filepath.WalkDir(scratch, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			seen += string(text)
		}
		return err
	})
	for _, secret := range []string{servers.GitToken, basic, servers.GitToken[:10]} {
		if i := strings.Index(seen, secret); i >= 0 {
			t.Errorf("got %q, want no secret", seen[max(0, i-100):i+20])
		}
	}
}

// watch gives the arguments of all processes while f runs.
func watch(t *testing.T, f func()) string {
	t.Helper()
	done, out := make(chan bool), make(chan string, 1)
	go func() {
		seen := map[string]bool{}
		for {
			list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, p := range list {
				text, _ := os.ReadFile(p)
				seen[string(text)] = true
			}
			select {
			case <-done:
				var all strings.Builder
				for s := range seen {
					all.WriteString(s + "\n")
				}
				out <- all.String()
				return
			default:
			}
		}
	}()
	func() {
		defer close(done)
		f()
	}()
	return <-out
}

func TestNothingOfTheMachineIsUsed(t *testing.T) {
	h := servers.Git(t)
	h.Repository(t, "x.git")
	home := t.TempDir()
	host := strings.TrimPrefix(h.URL, "http://127.0.0.1:")
	for name, text := range map[string]string{
		".gitconfig":         "[url \"file:///nowhere/\"]\n\tinsteadOf = " + h.URL + "\n",
		".netrc":             "machine 127.0.0.1 login u password " + servers.GitToken + "\n",
		"bin/git-credential": "#!/bin/sh\necho password=" + servers.GitToken,
	} {
		os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o700)
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_DIR": home, "GIT_ASKPASS": "/bin/false", "GIT_PROXY_COMMAND": "/bin/false", "GIT_TRACE_CURL": filepath.Join(home, "trace"),
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.file:///nowhere/.insteadOf", "GIT_CONFIG_VALUE_0": h.URL, "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
	} {
		t.Setenv(name, value)
	}
	mustOpen(t, http1(h, "x.git"))
	if _, err := os.Stat(filepath.Join(home, "trace")); err == nil {
		t.Error("got a trace, want none")
	}
	c := http1(h, "x.git")
	c.Token = "" // the file .netrc has it
	_, err := open(t, c)
	refused(t, err, git.Denied, "ls-remote http://127.0.0.1:"+host+"/x.git main: ", "check token")
}

func TestWhatTheHostAnswersIsExplained(t *testing.T) {
	h := servers.Git(t)
	h.Repository(t, "x.git")
	wrong := http1(h, "x.git")
	wrong.Token = "hunter2"
	_, err := open(t, wrong)
	refused(t, err, git.Denied, "check token")
	if strings.Contains(err.Error(), "failed") && strings.Contains(err.Error(), "times") {
		t.Errorf("got %q, want one attempt", err)
	}
	_, err = open(t, http1(h, "y.git"))
	refused(t, err, git.Missing, "check url")
	for status, kind := range map[int]git.Kind{403: git.Denied, 302: git.Moved, 413: git.Limit, 400: git.Broken} {
		p := faultproxy.New(t, h.URL)
		p.Add(&faultproxy.Rule{Status: status, Times: -1, Header: map[string]string{"Location": h.URL + "/x.git"}})
		c := http1(h, "x.git")
		c.URL = p.URL + "/x.git"
		_, err := open(t, c)
		refused(t, err, kind)
	}
}

func TestCredentialsAreSentNowhereElse(t *testing.T) {
	var visitors []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visitors = append(visitors, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	h := servers.Git(t)
	h.Repository(t, "x.git")
	p := faultproxy.New(t, h.URL)
	p.Add(&faultproxy.Rule{Status: 307, Times: -1, Header: map[string]string{"Location": other.URL + "/x.git/info/refs?service=git-upload-pack"}})
	c := http1(h, "x.git")
	c.URL = p.URL + "/x.git"
	_, err := open(t, c)
	refused(t, err, git.Moved, "another address")
	if len(visitors) > 0 {
		t.Errorf("got requests with %q at another host, want none", visitors)
	}
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	h := servers.Git(t)
	h.Repository(t, "x.git")
	for name, rule := range map[string]*faultproxy.Rule{
		"busy":   {Status: 503, Times: 2},
		"cut":    {Cut: true, Times: 2},
		"slow":   {Delay: 20 * time.Second},
		"errors": {Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			p := faultproxy.New(t, h.URL)
			p.Add(rule)
			c := http1(h, "x.git")
			c.URL = p.URL + "/x.git"
			r := reach(t, c)
			r.SetStall(time.Second)
			began := time.Now()
			repo, err := git.Create(t.Context(), t.TempDir(), r)
			if err != nil {
				t.Fatal(err)
			}
			repo.Close()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("got it after %s, want it when the stall time is over", took)
			}
			if n := rule.Hits(); n == 0 {
				t.Error("got no fault, want some")
			}
		})
	}
}

func TestTryingAgainEnds(t *testing.T) {
	h := servers.Git(t)
	p := faultproxy.New(t, h.URL)
	rule := p.Add(&faultproxy.Rule{Status: 503, Times: -1})
	c := http1(h, "x.git")
	c.URL, c.Retry = p.URL+"/x.git", unit.Duration(time.Second)
	_, err := open(t, c)
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "times in") || rule.Hits() < 2 {
		t.Errorf("got %v after %d requests, want 503 and how often it was tried", err, rule.Hits())
	}
}

func TestTokensAreRotatedInTheirFile(t *testing.T) {
	h := servers.Git(t)
	h.Repository(t, "x.git")
	h.Accept("second", "third")
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	p := faultproxy.New(t, h.URL)
	c := http1(h, "x.git")
	c.URL, c.Token = p.URL+"/x.git", "first"
	c.FromFile("token", file)
	write("second") // since the configuration was read
	r := mustOpen(t, c)
	rotate := func() { h.Accept("third"); write("third") }
	p.Add(&faultproxy.Rule{Do: rotate, Status: 401}) // while a request is under way
	if _, err := r.Resolve(t.Context(), main); err != nil {
		t.Error(err)
	}
	write("fourth")
	_, err := r.Resolve(t.Context(), main)
	refused(t, err, git.Denied)
	os.Remove(file)
	if _, err := r.Resolve(t.Context(), main); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the file is missing", err)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	h := servers.Git(t)
	h.Repository(t, "x.git")
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.StartTLS()
	defer s.Close()
	c := http1(h, "x.git")
	c.URL = s.URL + "/x.git"
	_, err := open(t, c)
	refused(t, err, git.Untrusted, "give its certificate as ca")
	c.CA = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, c)
}
