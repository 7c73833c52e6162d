package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sluice/test/fakestore"
	"sluice/test/servers"
)

// hostileKeys are such that a bucket may have and a repository must not. The
// tests of internal/gitpath have more.
var hostileKeys = []string{
	".git/hooks/post-checkout", "a/.git/config", "b/.GIT/config", "c/git~1/config", "d/.g\u200cit/config", "e/.git./config", "f/.git::$INDEX_ALLOCATION/x",
	"../escape", "a/../b", "a/./b", "a//b", "/etc/passwd", "dir/", "a\nb", "a\x7fb", "a\xffb", `back\slash`, "C:/x", "CON", "a/nul.txt", "dot.", "blank ",
	".gitattributes", ".gitmodules",
}

// TestHostileKeysAreRefusedEncodedOrDeadLetters: as one asks for it, and good
// ones arrive, where that is not to refuse all.
func TestHostileKeysAreRefusedEncodedOrDeadLetters(t *testing.T) {
	store := &fakestore.Store{Prefix: "not-there/"}
	good := content{"a/good.yaml": "good: 1\n", "plain 100%.txt": "percent\n", "ünï/cödé": "utf-8\n"}
	all := content{}
	for path, text := range good {
		all[path] = text
	}
	for _, key := range hostileKeys {
		all[key] = "from " + key
	}
	err := store.Serve(func(at string) error {
		for key, text := range all {
			to := url.URL{Scheme: "http", Host: strings.TrimPrefix(at, "http://"), Path: "/b/in/" + key}
			req, err := http.NewRequest("PUT", to.String(), strings.NewReader(text))
			if err != nil {
				return err
			}
			reply, err := client.Do(req)
			if err != nil {
				return err
			}
			reply.Body.Close()
		}
		source := stage("s3", "bucket: b", `endpoint: "`+at+`"`, "region: us-east-1", "access_key: test", "secret_key: testsecret", "prefix: in/")
		host := servers.Git(t)
		sync := func(t *testing.T, name, option, more string, status int) (*job, history, outcome) {
			h := history{host.Repository(t, name+".git")}
			h.edit(t, content{"README.md": "ours\n"})
			j := newJob(t, pipelines(entry("sync", source, "[]", gitStage(h.URL, "path: k", "strip: in/", option), more)))
			return j, h, j.want(t, status, "sync")
		}
		t.Run("refused", func(t *testing.T) {
			_, h, o := sync(t, "refused", "message: x", "on_error: stop", 1)
			o.says(t, "cannot be a path")
			if n := len(h.commits(t)); n != 1 {
				t.Errorf("got %d commits, want that of before alone", n)
			}
		})
		t.Run("dead letters", func(t *testing.T) {
			j, h, _ := sync(t, "dead", "message: x", "on_error: dead_letter\n    dead_letters: {file: {path: ./dead}}", 3)
			letters := ""
			for _, l := range j.letters(t, "sync") {
				letters += l.Reason + "\n"
			}
			if n := strings.Count(letters, "cannot be a path"); n != len(hostileKeys) {
				t.Errorf("got %d letters, want one for each of %d keys:\n%s", n, len(hostileKeys), letters)
			}
			equal(t, "main", h.at(t, "main").below("k/"), good)
			h.sound(t)
		})
		t.Run("encoded", func(t *testing.T) {
			_, h, _ := sync(t, "encoded", "encode: true", "on_error: stop", 0)
			got := content{}
			for path, text := range h.at(t, "main").below("k/") {
				key, err := url.PathUnescape(path)
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				got[key] = text
			}
			equal(t, "main", got, all)
			h.sound(t)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
