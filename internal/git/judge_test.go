package git_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sluice/internal/git"
)

// said are the words of gits and hosts, and what they mean: a kind, "raced", or
// the cause for which it is tried again.
var said = []struct{ words, want string }{
	{"fatal: unable to access 'https://h/x.git/': The requested URL returned error: 503", "503"},
	{"fatal: unable to access 'https://h/x.git/': The requested URL returned error: 429", "429"},
	{"error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502\nsend-pack: unexpected disconnect while reading sideband packet\nfatal: the remote end hung up unexpectedly", "502"},
	{"error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413\nfatal: the remote end hung up unexpectedly", "limit"},
	{"error: RPC failed; HTTP 411 curl 22 The requested URL returned error: 411", "limit"},
	{"error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)", "connection"},
	{"fatal: unable to access 'https://h/x.git/': Could not resolve host: h", "connection"},
	{"fatal: unable to access 'https://h/x.git/': Failed to connect to h port 443 after 2 ms: Couldn't connect to server", "connection"},
	{"fatal: unable to access 'https://h/x.git/': Failed to connect to h port 443 after 130000 ms: Connection timed out", "timeout"},
	{"fatal: unable to access 'https://h/x.git/': Operation too slow. Less than 1 bytes/sec transferred the last 120 seconds", "timeout"},
	{"fatal: unable to access 'https://h/x.git/': GnuTLS recv error (-110): The TLS connection was non-properly terminated.", "connection"},
	{"fatal: unable to access 'https://h/x.git/': Empty reply from server", "connection"},
	{"fatal: unable to access 'https://h/x.git/': server certificate verification failed. CAfile: none CRLfile: none", "untrusted"},
	{"fatal: unable to access 'https://h/x.git/': SSL certificate problem: self-signed certificate", "untrusted"},
	{"fatal: unable to access 'https://h/x.git/': SSL: no alternative certificate subject name matches target host name 'h'", "untrusted"},
	{"fatal: unable to access 'https://h/x.git/': error setting certificate verify locations:  CAfile: /x CApath: none", "untrusted"},
	{"fatal: unable to access 'https://h/x.git/': The requested URL returned error: 301", "moved"},
	{"fatal: could not read Username for 'https://h': terminal prompts disabled", "denied"},
	{"remote: Invalid username or token.\nfatal: Authentication failed for 'https://h/x.git/'", "denied"},
	{"remote: Write access to repository not granted.\nfatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", "denied"},
	{"remote: no, and this is no returned error: 503\nfatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", "denied"},
	{"remote: You have exceeded a secondary rate limit. Please wait a few minutes.\nfatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", "429"},
	{"remote: Permission to a/x.git denied to bot.\nfatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", "denied"},
	{"remote: Repository not found.\nfatal: repository 'https://h/x.git/' not found", "missing"},
	{"fatal: repository 'http://h/y.git/' not found", "missing"},
	{"ERROR: Repository not found.\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.", "missing"},
	{"remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.\nfatal: Could not read from remote repository.", "missing"},
	{"fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.", "missing"},
	{"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", "denied"},
	{"@@@@@@@@@@@\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n@@@@@\nPermissions 0644 for '/k' are too open.\nLoad key \"/k\": bad permissions\ngit@h: Permission denied (publickey).", "denied"},
	{"ERROR: The key you are authenticating with has been marked as read only.\nfatal: Could not read from remote repository.", "denied"},
	{"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\nfatal: Could not read from remote repository.", "untrusted"},
	{"No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.\nfatal: Could not read from remote repository.", "untrusted"},
	{"ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.", "connection"},
	{"ssh: connect to host h port 22: Connection timed out\nfatal: Could not read from remote repository.", "timeout"},
	{"ssh: Could not resolve hostname h: Temporary failure in name resolution\nfatal: Could not read from remote repository.", "connection"},
	{"kex_exchange_identification: Connection closed by remote host\nfatal: Could not read from remote repository.", "connection"},
	{"No user exists for uid 65532\nfatal: Could not read from remote repository.", "denied"},
	{"Timeout, server h not responding.\nfatal: the remote end hung up unexpectedly", "timeout"},
	{"fatal: the remote end hung up unexpectedly\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output", "connection"},
	{"fatal: write error: No space left on device", "disk"},
	{"fatal: couldn't find remote ref refs/heads/main", "absent"},
	{"fatal: remote error: upload-pack: not our ref 0123456789012345678901234567890123456789", "absent"},
	{"fatal: detected dubious ownership in repository at '/x'", "denied"},
	{"fatal: protocol 'ftp' is not supported", ""},
	{"fatal: bad object", ""},

	{"!\trefs/heads/a:refs/heads/main\t[rejected] (stale info)", "raced"},
	{"!\trefs/heads/a:refs/heads/main\t[rejected] (fetch first)", "raced"},
	{"!\trefs/heads/a:refs/heads/main\t[rejected] (non-fast-forward)", "raced"},
	{"!\ta:refs/heads/main\t[remote rejected] (failed to update ref)", "raced"},
	{"remote: error: cannot lock ref 'refs/heads/main': is at 1 but expected 2\n!\ta:refs/heads/main\t[remote rejected] (failed to update ref)", "raced"},
	{"!\ta:refs/heads/main\t[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)", "raced"},
	{"!\ta:refs/heads/main\t[remote rejected] (incorrect old value provided)", "raced"},
	{"remote: error: cannot lock ref 'refs/heads/main': is at 1 but expected 2\n!\ta:refs/heads/main\t[remote rejected] (atomic transaction failed)", "raced"},
	{"!\ta:refs/heads/main\t[remote rejected] (reference already exists)", "raced"},
	{"!\ta:refs/heads/main\t[rejected] (stale info)\n!\tb:refs/sluice/p\t[rejected] (atomic push failed)", "raced"},
	{"remote: error: cannot lock ref 'refs/heads/main': Unable to create '/x/refs/heads/main.lock': File exists.\n!\ta:refs/heads/main\t[remote rejected] (failed to update ref)", "locked"},
	{"remote: no, protected branch or not\n!\ta:refs/heads/main\t[rejected] (stale info)", "raced"},
	{"!\ta:refs/heads/main\t[remote rejected] (pre-receive hook declined)", "hook"},
	{"remote: stale info, returned error: 503\n!\ta:refs/heads/main\t[remote rejected] (pre-receive hook declined)", "hook"},
	{"remote: error: GH007: Your push would publish a private email address.\n!\ta:refs/heads/main\t[remote rejected] (push declined due to email privacy restrictions)", "hook"},
	{"remote: error: GH013: Repository rule violations found for refs/heads/main.\n!\ta:refs/heads/main\t[remote rejected] (push declined due to repository rule violations)", "hook"},
	{"remote: error: GH006: Protected branch update failed\n!\ta:refs/heads/main\t[remote rejected] (protected branch hook declined)", "protected"},
	{"remote: error: GH001: Large files detected.\n!\ta:refs/heads/main\t[remote rejected] (pre-receive hook declined)", "limit"},
	{"remote: fatal: pack exceeds maximum allowed size (1.00 KiB)\nerror: remote unpack failed: index-pack abnormal exit\n!\ta:refs/heads/main\t[remote rejected] (unpacker error)", "limit"},
	{"remote: fatal: write error: No space left on device\nerror: remote unpack failed: index-pack abnormal exit\n!\ta:refs/heads/main\t[remote rejected] (unpacker error)", "disk"},
	{"remote: error: insufficient permission for adding an object to repository database ./objects\n!\ta:refs/heads/main\t[remote rejected] (unpacker error)", "denied"},
	{"error: remote unpack failed: eof before pack header was fully read\n!\ta:refs/heads/main\t[remote rejected] (unpacker error)", "broken"},
	{"!\ta:refs/heads/main\t[remote rejected] (branch is currently checked out)", "broken"},
	{"!\ta:refs/sluice/p\t[remote rejected] (deny updating a hidden ref)", "protected"},
	{"remote: fatal error in commit_refs\n!\ta:refs/heads/main\t[remote rejected] (failure)", "server"},
	{"!\ta:refs/heads/main\t[remote rejected] (Internal Server Error)", "server"},
	{"!\ta:refs/heads/main\t[remote failure] (remote failed to report status)", "connection"},
	{"!\ta:refs/heads/main\t[remote rejected] (because)", "hook"},
}

func TestWordsAreUnderstood(t *testing.T) {
	for _, test := range said {
		got, err := git.Explain(test.words)
		if refused, ok := errors.AsType[*git.Refused](err); ok {
			got = string(refused.Kind)
		}
		if errors.Is(err, git.ErrRaced) {
			got = "raced"
		}
		if got != test.want {
			t.Errorf("%q: got %q (%v), want %q", test.words, got, err, test.want)
		}
	}
}

func TestWordsWithoutMeaningAreLeftOut(t *testing.T) {
	_, err := git.Explain("Enumerating objects: 3, done.\rWriting objects: 100% (3/3), done.\nremote: \nremote: no \x1b[2Jtabs \nTo http://h/x.git\n!\ta:refs/heads/main\t[remote rejected] (pre-receive hook declined)\nDone\nerror: failed to push some refs to 'http://h/x.git'\nhint: something")
	if got, want := err.Error(), "remote: no ?[2Jtabs; ! a:refs/heads/main [remote rejected] (pre-receive hook declined): a hook or rule of the repository forbids it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := git.Explain(""); err.Error() != "exit status 128" {
		t.Errorf("got %q, want how it ended", err)
	}
}

func FuzzWhatGitSaysMakesAMessage(f *testing.F) {
	for _, test := range said {
		f.Add(test.words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		_, err := git.Explain(words)
		if text := err.Error(); text == "" || len(text) > 16<<10 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Errorf("%q: got %q, want one line", words, text)
		}
	})
}

func TestWhatIsKeptOfLongTextsIsWholeLines(t *testing.T) {
	for _, test := range []struct {
		texts []string
		want  string
	}{
		{[]string{"one\n", "two\n"}, "one\ntwo\n"},
		{[]string{"one\ntwo\nthree\n", "four\n"}, "four\n"},
		{[]string{"a secret that is cut somewhere\nend\n"}, "end\n"},
		{[]string{strings.Repeat("x", 100)}, ""},
	} {
		if got := git.Keep(10, test.texts...); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
