package git

import (
	"fmt"
	"regexp"
	"strings"
)

// verdict is what words of git or of a remote mean.
type verdict struct {
	raced  bool
	cause  string // it may pass
	kind   Kind   // it does not
	remedy string
}

// of makes the error of it.
func (v *verdict) of(detail string) error {
	switch {
	case v.raced:
		return fmt.Errorf("%w: %s", ErrRaced, detail)
	case v.cause != "":
		return &passing{cause: v.cause, err: fmt.Errorf("%s", detail), remedy: v.remedy}
	}
	return &Refused{Kind: v.kind, Detail: detail, Remedy: v.remedy}
}

// rule says what it means if one of some texts is there.
type rule struct {
	texts []string
	verdict
}

// find gives the verdict of the first rule that applies, or nil.
func find(rules []rule, text string) *verdict {
	for i := range rules {
		for _, t := range rules[i].texts {
			if strings.Contains(text, t) {
				return &rules[i].verdict
			}
		}
	}
	return nil
}

// judge says what the words of a git that failed mean; nil if that is not known.
// What push says of references goes before all else, and what hosts of
// repositories say of their own before what git says of a connection that they
// then closed.
func judge(refs, own, theirs string) *verdict {
	if refs != "" {
		return judgeRefs(refs, own, theirs)
	}
	if v := find(hostRules, theirs+own); v != nil {
		return v
	}
	if v := judgeStatus(own); v != nil {
		return v
	}
	return find(ownRules, own)
}

// judgeRefs says why references did not move.
func judgeRefs(refs, own, theirs string) *verdict {
	for _, rules := range [][]rule{diskRules, lockRules, wordRules} { // of which push knows only that it failed
		if v := find(rules, theirs); v != nil && !strings.Contains(refs, "[rejected]") {
			return v
		}
	}
	if strings.Contains(refs, "transaction failed") && strings.Contains(theirs, "cannot lock ref") { // of an atomic push
		return &verdict{raced: true}
	}
	if v := find(refRules, refs); v != nil {
		return v
	}
	if v := find(hostRules, theirs+own); v != nil {
		return v
	}
	if strings.Contains(refs, "[remote failure]") { // it said nothing of the reference: it may have moved
		return &verdict{cause: causeConnection}
	}
	return &verdict{kind: Hook, remedy: "the repository does not take this push"}
}

const (
	remedyCredentials = "the credentials are missing, wrong or expired, or may not do this; check token, password, github_app or ssh_key: to push, a token needs the right to write contents"
	remedyMissing     = "check url; to credentials that may not see it, a repository looks as if it were not there"
	remedyMoved       = "the repository is at another address, which has to be in url: credentials are not sent elsewhere; some hosts want .git at the end"
	remedyCA          = "if an authority of your own has signed the certificate of the host, give its certificate as ca"
	remedyHostKey     = "compare the key of the host with what it publishes; if it is right, put it into known_hosts (ssh-keyscan shows it)"
	remedyKeyFile     = "ssh_key must be a private key without a passphrase, in a file that only the user of this process can read (chmod 600)"
	remedyProtected   = "the branch is protected: allow this user or App to push to it, or name another branch"
	remedyHook        = "a hook or rule of the repository forbids it"
	remedyLimit       = "the host does not take it: lower max_file_size, or raise the limit of the host"
	remedyChunked     = "a proxy before the host takes no requests whose length is not known: change that, or use ssh"
	remedyDiskThere   = "the disk of the repository is full"
	remedyDiskHere    = "there is no room for the scratch files of this run: make some, or keep the state elsewhere"
	remedyOwner       = "run as the user who owns the repository, or give it to this one"
	remedyLocked      = "if no git runs there any more, remove the lock file"
	remedyWork        = "push into a bare repository: this one has the branch checked out"
	remedyWritable    = "the user that git runs as there must be able to write the repository"
)

// statusText finds the status of a reply.
var statusText = regexp.MustCompile(`(?:returned error: |RPC failed; HTTP )(\d{3})`)

// judgeStatus says what the status of a reply means.
func judgeStatus(own string) *verdict {
	m := statusText.FindStringSubmatch(own)
	if m == nil {
		return nil
	}
	switch status := m[1]; {
	case status == "401", status == "403", status == "407":
		return &verdict{kind: Denied, remedy: remedyCredentials}
	case status == "404", status == "410":
		return &verdict{kind: Missing, remedy: remedyMissing}
	case status[0] == '3':
		return &verdict{kind: Moved, remedy: remedyMoved}
	case status == "411":
		return &verdict{kind: Limit, remedy: remedyChunked}
	case status == "413":
		return &verdict{kind: Limit, remedy: remedyLimit}
	case status == "408":
		return &verdict{cause: causeTimeout}
	case status == "429", status[0] == '5':
		return &verdict{cause: status}
	}
	return &verdict{kind: Broken, remedy: "the host does not take the request: check url"}
}

// wordRules are of words with which hosts explain that a push was declined.
var wordRules = []rule{
	{[]string{"protected branch", "GH006", "protected ref"}, verdict{kind: Protected, remedy: remedyProtected}},
	{[]string{"GH001", "exceeds GitHub's file size limit", "exceeds maximum allowed size", "exceeds the limit", "larger than 100"}, verdict{kind: Limit, remedy: remedyLimit}},
	{[]string{"GH007"}, verdict{kind: Hook, remedy: "the host keeps the address of the author private: give another as author"}},
}

// refRules are of what push says of a reference.
var refRules = []rule{
	{[]string{"protected branch hook declined"}, verdict{kind: Protected, remedy: remedyProtected}},
	{[]string{"hook declined", "rule violations", "push declined"}, verdict{kind: Hook, remedy: remedyHook}},
	{[]string{"deny updating a hidden ref", "deletion prohibited", "non-fast-forward)	denied"}, verdict{kind: Protected, remedy: "the host takes no pushes to this reference"}},
	{[]string{"branch is currently checked out"}, verdict{kind: Broken, remedy: remedyWork}},
	{[]string{"unpacker error", "missing necessary objects", "shallow update not allowed"}, verdict{kind: Broken, remedy: "the repository there cannot take what it was sent: its own log says more"}},
	{[]string{
		"stale info", "fetch first", "non-fast-forward", "failed to update ref", "cannot lock ref", "failed to lock", "incorrect old value",
		"reference already exists", "needs update", "remote ref updated since checkout", "but expected",
	}, verdict{raced: true}},
	{[]string{"nternal error", "nternal Server Error", "fatal error in commit_refs", "[remote rejected] (failure)", "(failed)", "transaction failed", "timeout", "timed out"}, verdict{cause: causeServer}},
}

// lockRules are of lock files, which another writer has for a moment, and one
// that was killed leaves behind.
var lockRules = []rule{{[]string{".lock': File exists"}, verdict{cause: causeLocked, remedy: remedyLocked}}}

// diskRules are of a remote that cannot write.
var diskRules = []rule{
	{[]string{"No space left on device", "Disk quota exceeded", "not enough space"}, verdict{kind: Disk, remedy: remedyDiskThere}},
	{[]string{"insufficient permission for adding an object", "Permission denied", "Read-only file system"}, verdict{kind: Denied, remedy: remedyWritable}},
}

// hostRules are of words that come from the remote, or that git adds nothing to.
var hostRules = []rule{
	{[]string{"REMOTE HOST IDENTIFICATION HAS CHANGED"}, verdict{kind: Untrusted, remedy: "the key of the host is another than that in known_hosts; " + remedyHostKey}},
	{[]string{"Host key verification failed", "key is known for"}, verdict{kind: Untrusted, remedy: "the host is not in known_hosts; " + remedyHostKey}},
	{[]string{"No user exists for uid"}, verdict{kind: Denied, remedy: "ssh runs only for users that have a name: give this one a line in /etc/passwd"}},
	{[]string{"rate limit"}, verdict{cause: "429"}},
	{[]string{"UNPROTECTED PRIVATE KEY FILE", "bad permissions", "Load key ", "not accessible: "}, verdict{kind: Denied, remedy: remedyKeyFile}},
	{[]string{
		"Permission denied (publickey", "Too many authentication failures", "could not read Username", "could not read Password", "Authentication failed", "Invalid username or", "HTTP Basic: Access denied",
		"Write access to repository not granted", "marked as read only", "denied to ", "Permission denied to", "access denied or repository not exported", "not allowed to push",
	}, verdict{kind: Denied, remedy: remedyCredentials}},
	{[]string{"epository not found", "could not be found", "does not appear to be a git repository", "no such repository"}, verdict{kind: Missing, remedy: remedyMissing}},
	{[]string{"couldn't find remote ref", "not our ref", "unadvertised object"}, verdict{kind: Absent}},
	{[]string{"dubious ownership"}, verdict{kind: Denied, remedy: remedyOwner}},
	{[]string{".lock': File exists"}, verdict{cause: causeLocked, remedy: remedyLocked}},
}

// ownRules are of words of git, of ssh and of the libraries they use.
var ownRules = []rule{
	{[]string{"No space left on device", "Disk quota exceeded"}, verdict{kind: Disk, remedy: remedyDiskHere}},
	{[]string{"SSL certificate problem", "certificate verification failed", "certificate subject name", "certificate has expired", "server certificate"}, verdict{kind: Untrusted, remedy: remedyCA}},
	{[]string{"error setting certificate", "error reading ca cert"}, verdict{kind: Untrusted, remedy: "ca must be a file of certificates in PEM form that this process can read"}},
	{[]string{"unable to update url base from redirection"}, verdict{kind: Moved, remedy: remedyMoved}},
	{[]string{"repository '"}, verdict{kind: Missing, remedy: remedyMissing}}, // … not found
	{[]string{"unsupported protocol", "is not allowed", "invalid server response", "not valid: is this a git repository", "bad line length"}, verdict{kind: Broken, remedy: "what answers there is no git server: check url"}},
	{[]string{"timed out", "Timeout, server", "too slow", "imed out after"}, verdict{cause: causeTimeout}},
	{[]string{
		"Could not resolve", "ailed to connect", "ouldn't connect", "Connection refused", "Connection reset", "Connection closed", "connection was reset", "Broken pipe", "Empty reply", "Recv failure", "Send failure",
		"hung up", "early EOF", "disconnect", "RPC failed", "TLS connection was non-properly terminated", "gnutls_handshake", "SSL_", "SSL connection", "unable to access", "bad pack header", "unexpected flush", "expected flush",
		"Could not read from remote repository", "No route to host", "Network is unreachable", "index-pack failed", "invalid index-pack output", "Temporary failure", "kex_exchange", "protocol error",
	}, verdict{cause: causeConnection}},
}
