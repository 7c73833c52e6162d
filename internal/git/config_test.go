package git_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"sluice/internal/git"
	"sluice/internal/kind"
)

var (
	_ kind.Filed  = (*git.Config)(nil)
	_ kind.Filed  = (*git.App)(nil)
	_ kind.Warner = (*git.Config)(nil)
)

func TestOptionsThatCannotBeUsedAreProblems(t *testing.T) {
	ok := git.App{ID: "1", Installation: 2, Key: "x"}
	for name, test := range map[string]struct {
		config git.Config
		want   string // options with problems
	}{
		"token":                      {git.Config{URL: "https://h/x.git", Token: "t"}, ""},
		"token and user":             {git.Config{URL: "https://h/x.git", Token: "t", Username: "u"}, ""},
		"password":                   {git.Config{URL: "https://h/x.git", Username: "u", Password: "p"}, ""},
		"ssh":                        {git.Config{URL: "git@h:x.git", SSHKey: "k", KnownHosts: "h"}, ""},
		"path":                       {git.Config{URL: "/x.git"}, ""},
		"http and nobody":            {git.Config{URL: "http://h/x.git"}, ""},
		"http here":                  {git.Config{URL: "http://127.0.0.1:1/x.git", Token: "t"}, ""},
		"http allowed":               {git.Config{URL: "http://h/x.git", Token: "t", Plaintext: true}, ""},
		"tag":                        {git.Config{URL: "/x.git", Branch: "refs/tags/v1"}, ""},
		"nothing":                    {git.Config{}, "url"},
		"password in URL":            {git.Config{URL: "https://u:p@h/x.git"}, "url"},
		"password in URL of ssh":     {git.Config{URL: "ssh://u:p@h/x.git", SSHKey: "k", KnownHosts: "h"}, "url"},
		"http with token":            {git.Config{URL: "http://h/x.git", Token: "t"}, "url"},
		"http that looks like here":  {git.Config{URL: "http://127.0.0.1.example.org/x.git", Token: "t"}, "url"},
		"two ways":                   {git.Config{URL: "https://h/x.git", Token: "t", Username: "u", Password: "p"}, "password"},
		"user alone":                 {git.Config{URL: "https://h/x.git", Username: "u"}, "username"},
		"password alone":             {git.Config{URL: "https://h/x.git", Password: "p"}, "password"},
		"ssh without hosts":          {git.Config{URL: "git@h:x.git", SSHKey: "k"}, "known_hosts"},
		"ssh without key":            {git.Config{URL: "ssh://git@h/x.git", KnownHosts: "h"}, "ssh_key"},
		"ssh with token":             {git.Config{URL: "ssh://git@h/x.git", KnownHosts: "h", SSHKey: "k", Token: "t"}, "token"},
		"https with key of ssh":      {git.Config{URL: "https://h/x.git", SSHKey: "k", KnownHosts: "h"}, "ssh_key known_hosts"},
		"path with token":            {git.Config{URL: "x.git", Token: "t", CA: "c"}, "token ca"},
		"branch that is none":        {git.Config{URL: "x.git", Branch: "a..b"}, "branch"},
		"branch that is an option":   {git.Config{URL: "x.git", Branch: "--mirror"}, "branch"},
		"app without installation":   {git.Config{URL: "https://h/x.git", GitHubApp: git.App{ID: "1", Key: "x"}}, "github_app github_app.key"},
		"app with a key that is not": {git.Config{URL: "https://h/x.git", GitHubApp: ok}, "github_app.key"},
		"app by http":                {git.Config{URL: "https://h/x.git", GitHubApp: git.App{ID: "1", Installation: 2, API: "http://h"}}, "github_app github_app.api"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range test.config.Problems() {
				got = append(got, p.Option)
				if strings.Contains(p.Message, "u:p") {
					t.Errorf("got %q, want no secret in it", p.Message)
				}
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got problems of %q, want %q", got, test.want)
			}
		})
	}
}

func TestAddressesAreRead(t *testing.T) {
	for text, want := range map[string][3]string{
		"https://h/g/x.git":       {"https", "https://h/g/x.git", "https://h"},
		"https://h:8443/x/":       {"https", "https://h:8443/x", "https://h:8443"},
		"ssh://git@h:2222/x":      {"ssh", "ssh://git@h:2222/x", ""},
		"git@h:g/x.git":           {"ssh", "git@h:g/x.git", ""},
		"h:x":                     {"ssh", "h:x", ""},
		"/x/y":                    {"file", "/x/y", ""},
		"file:///x/y%20z":         {"file", "/x/y z", ""},
		"":                        {},
		"--upload-pack=touch":     {},
		"ext::sh -c true":         {},
		"ext::sh":                 {},
		"git://h/x":               {},
		"https://h":               {},
		"https:///x":              {},
		"https://h/x?a":           {},
		"https://u@h/x":           {},
		"ssh://-oProxyCommand=/x": {},
		"-oProxyCommand=x:y":      {},
		"git@-oProxyCommand=x:y":  {},
		"file://h/x":              {},
		"a\nb":                    {},
		"https://h/x\x00":         {},
	} {
		scheme, url, origin, err := git.ParseAddress(text)
		got := [3]string{scheme, url, origin}
		if got != want || (err == nil) != (want[0] != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestTheLocationIsWithoutSecrets(t *testing.T) {
	for _, test := range []struct {
		config git.Config
		want   string
	}{
		{git.Config{URL: "https://h/x.git", Token: "hunter2"}, "https://h/x.git main"},
		{git.Config{URL: "https://h/x.git/", Branch: "b"}, "https://h/x.git b"},
		{git.Config{URL: "https://u:hunter2@h/x.git"}, "a repository that is not known"},
		{git.Config{URL: "git@h:x.git", Branch: "refs/tags/v1"}, "git@h:x.git refs/tags/v1"},
	} {
		if got := test.config.Location(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func FuzzAnAddressIsNoOptionAndHasNoPassword(f *testing.F) {
	for _, text := range []string{"https://h/x", "u@h:x", "ssh://u:p@h/x", "/x", "-x", "x::y", "file:///x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scheme, address, _, err := git.ParseAddress(text)
		if err != nil {
			return
		}
		if !slices.Contains([]string{"http", "https", "ssh", "file"}, scheme) || strings.HasPrefix(address, "-") || strings.ContainsAny(address, "\n\x00") {
			t.Errorf("%q: got %s %q", text, scheme, address)
		}
		if u, err := url.Parse(address); err == nil && u.User != nil && strings.Contains(address, "://") {
			if _, secret := u.User.Password(); secret {
				t.Errorf("%q: got %q, want no password in it", text, address)
			}
		}
	})
}

func TestVersionsThatAreTooOldAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"git version 2.36.0\n":                     "git version 2.36",
		"git version 2.39.5 (Apple Git-154)\n":     "git version 2.39",
		"git version 2.51.0.windows.1\n":           "git version 2.51",
		"git version 3.0\n":                        "git version 3.0",
		"git version 2.35.9\n":                     "",
		"git version 1.99\n":                       "",
		"hub version 2.40\n":                       "",
		"git version 2.99999999999999999999999\n":  "git version 2.99999999999999999999999",
		"warning: something\ngit version 2.39.0\n": "",
	} {
		got, err := git.Suits(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "2.36 or later is needed") {
			t.Errorf("%q: got %q, want which version is needed", text, err)
		}
	}
}

func TestAGitThatIsNotThereIsAskedFor(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := git.Config{URL: "/x"}
	r, err := c.Remote()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "git 2.36 or later is needed") {
		t.Errorf("got %v, want that git is needed", err)
	}
}
