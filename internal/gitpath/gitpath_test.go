package gitpath_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sluice/internal/gitpath"
)

// options are the defaults.
func options() gitpath.Options { return gitpath.Options{Path: "/", Key: "{key}", Portable: true} }

func paths(t testing.TB, o gitpath.Options) *gitpath.Paths {
	t.Helper()
	p, err := gitpath.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hostile are keys that are no paths by default, what the error says, and what
// they are with encode ("": that cannot help).
var hostile = []struct{ key, says, encoded string }{
	{"", "nothing is left", ""},
	{"/", "empty", "%2F"},
	{"/etc/passwd", "empty", "%2Fetc/passwd"},
	{"a//b", "empty", "a/%2Fb"},
	{"a/", "empty", "a%2F"},
	{"a///", "empty", "a/%2F%2F"},
	{".", "component .", "%2E"},
	{"..", "component ..", "%2E%2E"},
	{"../escape", "component ..", "%2E%2E/escape"},
	{"a/../b", "component ..", "a/%2E%2E/b"},
	{"a/./b", "component .", "a/%2E/b"},
	{"a/..", "component ..", "a/%2E%2E"},
	{"a\x00b", "control", "a%00b"},
	{"a\nb", "control", "a%0Ab"},
	{"a\rb", "control", "a%0Db"},
	{"\x1b[2J", "control", "%1B[2J"},
	{"a\x7f", "control", "a%7F"},
	{"a\xffb", "UTF-8", "a%FFb"},
	{"a\xed\xa0\x80", "UTF-8", "a%ED%A0%80"},
	{"a\xc0\xaf..", "UTF-8", "a%C0%AF.%2E"},
	{strings.Repeat("x", 256), "256 bytes", ""},
	{strings.Repeat("d/", 2048) + "x", "4097 bytes", ""},
	{".git/hooks/post-checkout", "the repository itself", "%2Egit/hooks/post-checkout"},
	{"a/.git/config", "the repository itself", "a/%2Egit/config"},
	{".git", "the repository itself", "%2Egit"},
	{".GIT/config", "the repository itself", "%2EGIT/config"},
	{".gIt", "the repository itself", "%2EgIt"},
	{"git~1/config", "the repository itself", "%67it~1/config"},
	{"GIT~1", "the repository itself", "%47IT~1"},
	{".git./config", "the repository itself", ".git%2E/config"},
	{".git /config", "the repository itself", ".git%20/config"},
	{".git . .", "the repository itself", ".git . %2E"},
	{".git::$INDEX_ALLOCATION/x", "the repository itself", ".git%3A%3A$INDEX_ALLOCATION/x"},
	{".g\u200cit/x", "the repository itself", "%2Eg\u200cit/x"},
	{"\u200e.git", "the repository itself", "%E2%80%8E.git"},
	{".git\ufeff", "the repository itself", "%2Egit\ufeff"},
	{"a\\.git\\x", "the repository itself", "a%5C.git%5Cx"},
	{"..\\x", "Windows", "..%5Cx"},
	{"C:/x", "Windows", "C%3A/x"},
	{"C:\\x", "Windows", "C%3A%5Cx"},
	{"a*b", "Windows", "a%2Ab"},
	{"what?", "Windows", "what%3F"},
	{`"q"`, "Windows", "%22q%22"},
	{"<a>", "Windows", "%3Ca%3E"},
	{"a|b", "Windows", "a%7Cb"},
	{"a.", "dot or a blank", "a%2E"},
	{"a ", "dot or a blank", "a%20"},
	{"...", "dot or a blank", "..%2E"},
	{"CON", "device", "%43ON"},
	{"a/nul.txt", "device", "a/%6Eul.txt"},
	{"com1", "device", "%63om1"},
	{"LPT9.tar.gz", "device", "%4CPT9.tar.gz"},
	{"COM\u00b9", "device", "%43OM\u00b9"},
	{"aux .c", "device", "%61ux .c"},
	{".gitattributes", "means something", "%2Egitattributes"},
	{"a/.GitAttributes", "means something", "a/%2EGitAttributes"},
	{".gitmodules", "means something", "%2Egitmodules"},
	{"gitmod~1", "means something", "%67itmod~1"},
	{"GI7EBA~1", "means something", "%47I7EBA~1"},
	{"gi7d2~12", "means something", "%67i7d2~12"},
	{"a/.gitignore", "means something", "a/%2Egitignore"},
	{".mailmap", "means something", "%2Emailmap"},
	{"maba30~1", "means something", "%6Daba30~1"},
	{".lfsconfig", "means something", "%2Elfsconfig"},
	{".gitmod\u200fules", "means something", "%2Egitmod\u200fules"},
	{".github/workflows/x.yml", "means something", "%2Egithub/workflows/x.yml"},
	{".GITHUB/CODEOWNERS", "means something", "%2EGITHUB/CODEOWNERS"},
	{".gitlab-ci.yml", "means something", "%2Egitlab-ci.yml"},
	{"Jenkinsfile", "means something", "%4Aenkinsfile"},
	{".forgejo/workflows/x", "means something", "%2Eforgejo/workflows/x"},
}

func TestHostileKeysAreRefusedOrEncoded(t *testing.T) {
	plain, o := paths(t, options()), options()
	o.Encode = true
	encoding := paths(t, o)
	for _, h := range hostile {
		got, err := plain.Of(h.key)
		if err == nil || !strings.Contains(err.Error(), h.says) {
			t.Errorf("%q: got %q, %v, want an error that says %q", h.key, got, err, h.says)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "key ") || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' })) {
			t.Errorf("%q: %v: want the key, quoted", h.key, err)
		}
		got, err = encoding.Of(h.key)
		if (err == nil) != (h.encoded != "") || got != h.encoded {
			t.Errorf("%q encoded: got %q, %v, want %q", h.key, got, err, h.encoded)
		}
	}
}

func TestHarmlessKeysArePathsAsTheyAre(t *testing.T) {
	p, o := paths(t, options()), options()
	o.Encode = true
	encoding := paths(t, o)
	for _, key := range []string{
		"clusterbackup/prod/default/deployments/web.yaml", "a", "-x", "~", "a b", "...a", ".gitx", ".git2/x", "x.git", "git~2", "git~", "a/.github/workflows/x", "a/.gitlab-ci.yml",
		"gitattributes", "CONS", "com0", "com10", "acom1", "é/日本", "e\u0301", "$", "{a}", "#", "@", "refs/heads/main.lock", strings.Repeat("x", 255),
	} {
		for name, p := range map[string]*gitpath.Paths{"plain": p, "encode": encoding} {
			if got, err := p.Of(key); err != nil || got != key {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, key)
			}
		}
	}
}

func TestWhatIsAllowedIsAPath(t *testing.T) {
	o := options()
	o.Allow = []string{".github/workflows/**", "**/.gitattributes", "**/.git/**"}
	for _, encode := range []bool{false, true} {
		o.Encode = encode
		p := paths(t, o)
		for _, key := range []string{".github/workflows/a/b.yml", ".gitattributes", "a/b/.gitattributes"} {
			if got, err := p.Of(key); err != nil || got != key {
				t.Errorf("got %q, %v, want %q", got, err, key)
			}
		}
		for _, key := range []string{".github/CODEOWNERS", ".gitmodules", ".git/config"} {
			if got, err := p.Of(key); err == nil && got == key {
				t.Errorf("%q is taken: it is not allowed", key)
			}
		}
	}
}

func TestThePortabilityOfPathsCanBeSwitchedOff(t *testing.T) {
	o := options()
	o.Portable = false
	p := paths(t, o)
	for _, key := range []string{"a:b", `a\b`, "CON", "a.", "a ", "what?"} {
		if got, err := p.Of(key); err != nil || got != key {
			t.Errorf("got %q, %v, want %q", got, err, key)
		}
	}
	for _, key := range []string{".git ", `a\.git\x`, ".git:x", "GIT~1", "a\nb", "a/..", `a\.gitmodules`} {
		if got, err := p.Of(key); err == nil {
			t.Errorf("%q: got %q, want an error", key, got)
		}
	}
}

func TestOptionsMakeThePath(t *testing.T) {
	for _, tc := range []struct {
		change    func(*gitpath.Options)
		key, want string // an error says want after "!"
	}{
		{func(o *gitpath.Options) { o.Path = "clusters/prod" }, "a/b", "clusters/prod/a/b"},
		{func(o *gitpath.Options) { o.Path = "clusters/prod/" }, "a/b", "clusters/prod/a/b"},
		{func(o *gitpath.Options) { o.Path = "clusters" }, ".github/workflows/x.yml", "clusters/.github/workflows/x.yml"},
		{func(o *gitpath.Options) { o.Path = "clusters" }, "../x", "!component .."},
		{func(o *gitpath.Options) { o.Strip = "backup/" }, "backup/a/b", "a/b"},
		{func(o *gitpath.Options) { o.Strip = "backup/" }, "other/a", "!does not begin with"},
		{func(o *gitpath.Options) { o.Strip = "backup/" }, "backup/", "!nothing is left"},
		{func(o *gitpath.Options) { o.Key = "all/{stem}.backup{ext}" }, "a/b.yaml", "all/a/b.backup.yaml"},
		{func(o *gitpath.Options) { o.Key = "{key}.json" }, ".git/x", "!the repository itself"},
		{func(o *gitpath.Options) { o.Key = ".git{key}" }, "/x", "!the repository itself"},
		{func(o *gitpath.Options) { o.Flatten = "--" }, "a/b/c", "a--b--c"},
		{func(o *gitpath.Options) { o.Flatten = "--" }, "a/b--c", "!flatten"},
		{func(o *gitpath.Options) { o.Flatten = "--" }, "a-/b", "!flatten"},
		{func(o *gitpath.Options) { o.Flatten = "--" }, "a/-b", "a---b"},
		{func(o *gitpath.Options) { o.Flatten, o.Path = "__", "x" }, "../a", "x/..__a"},
		{func(o *gitpath.Options) { o.Path, o.Encode = "a%b", true }, "c%", "a%b/c%25"},
		{func(o *gitpath.Options) { o.Path, o.Encode = "clusters", true }, ".github/x", "clusters/.github/x"},
	} {
		o := options()
		tc.change(&o)
		got, err := paths(t, o).Of(tc.key)
		if says, ok := strings.CutPrefix(tc.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%+v: %q: got %q, %v, want an error that says %q", o, tc.key, got, err, says)
			}
			continue
		}
		if err != nil || got != tc.want {
			t.Errorf("%+v: %q: got %q, %v, want %q", o, tc.key, got, err, tc.want)
		}
	}
}

func TestImpossibleOptionsAreProblems(t *testing.T) {
	for want, change := range map[string]func(*gitpath.Options){
		"path: name":          func(o *gitpath.Options) { o.Path = "" },
		"path: \"/a\"":        func(o *gitpath.Options) { o.Path = "/a" },
		"path: it has":        func(o *gitpath.Options) { o.Path = "a/../b" },
		"path: a component":   func(o *gitpath.Options) { o.Path = "a//" },
		"path: \".git\"":      func(o *gitpath.Options) { o.Path = ".git" },
		"key: \"\"":           func(o *gitpath.Options) { o.Key = "{" },
		"key: a file is":      func(o *gitpath.Options) { o.Key = "{key}-{pass}" },
		"key: \"{stem}.a\"":   func(o *gitpath.Options) { o.Key = "{stem}.a" },
		"flatten: \"/\"":      func(o *gitpath.Options) { o.Flatten = "/" },
		"flatten: \"x\\nx\"":  func(o *gitpath.Options) { o.Flatten = "\n" },
		"allow: \"[\": [ wit": func(o *gitpath.Options) { o.Allow = []string{"["} },
	} {
		o := options()
		change(&o)
		var got []string
		for _, p := range o.Problems() {
			got = append(got, p.Option+": "+p.Message)
		}
		if want = strings.Replace(want, `key: ""`, `key: "{"`, 1); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("got %q, want one that begins %q", got, want)
		}
		if _, err := gitpath.New(o); err == nil {
			t.Errorf("%s: New gives no error", want)
		}
	}
	o := options()
	if got := o.Problems(); len(got) > 0 {
		t.Errorf("got %v of the defaults", got)
	}
}

// awkward draws keys of what is special somewhere.
func awkward(t *rapid.T, label string) string {
	part := rapid.SampledFrom([]string{
		"/", "/", "a", "b", ".", "..", "%", "%2F", "%2E", "25", ".git", "git~1", "GIT", "\u200c", ":", `\`, " ", "CON", ".txt", "\x00", "\xff", "é", "-", "--", ".github", ".gitmodules", "gi7eba~1", "*",
	})
	return strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, label), "")
}

func TestEncodedPathsDecodeToTheirKeys(t *testing.T) {
	for _, portable := range []bool{true, false} {
		o := options()
		o.Encode, o.Portable = true, portable
		encoding := paths(t, o)
		o.Encode = false
		plain := paths(t, o)
		rapid.Check(t, func(t *rapid.T) {
			key := awkward(t, "key")
			got, err := encoding.Of(key)
			if err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			if back, err := url.PathUnescape(got); err != nil || back != key {
				t.Fatalf("%q is %q, which decodes to %q, %v", key, got, back, err)
			}
			if again, err := plain.Of(got); err != nil || again != got {
				t.Fatalf("%q is %q, which is no path: %v", key, got, err)
			}
			if same, err := plain.Of(key); err == nil && !strings.Contains(key, "%") && same != got {
				t.Fatalf("%q is a path, and was encoded as %q", key, got)
			}
		})
	}
}

func TestFlattenedKeysAreNeverOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := options()
		o.Flatten = rapid.StringOfN(rapid.SampledFrom([]rune("ab-")), 1, 3, -1).Draw(t, "flatten")
		p, err := gitpath.New(o)
		if err != nil {
			t.Fatal(err)
		}
		one := rapid.StringOfN(rapid.SampledFrom([]rune("ab-/")), 1, 6, -1).Draw(t, "key")
		path, err := p.Of(one)
		if err != nil {
			return
		}
		for n := range len(path) + 1 { // keys that look like it
			other := strings.Replace(path, o.Flatten, "/", n)
			if same, err := p.Of(other); err == nil && same == path && other != one {
				t.Fatalf("%q and %q are both %q", one, other, path)
			}
		}
	})
}

func FuzzOf(f *testing.F) {
	for _, h := range hostile {
		f.Add(h.key, true)
		f.Add(h.key, false)
	}
	f.Fuzz(func(t *testing.T, key string, portable bool) {
		for _, encode := range []bool{false, true} {
			o := options()
			o.Encode, o.Portable = encode, portable
			got, err := paths(t, o).Of(key)
			if err != nil {
				continue
			}
			if !encode && got != key {
				t.Errorf("%q became %q", key, got)
			}
			if back, err := url.PathUnescape(got); encode && (err != nil || back != key) {
				t.Errorf("%q became %q", key, got)
			}
			for part := range strings.SplitSeq(got, "/") {
				if part == "" || part == "." || part == ".." || strings.EqualFold(strings.TrimRight(part, ". "), ".git") || !utf8.ValidString(part) || strings.ContainsAny(part, "\x00\n") {
					t.Errorf("%q is accepted as %q", key, got)
				}
			}
		}
	})
}
