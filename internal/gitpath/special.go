package gitpath

import (
	"regexp"
	"slices"
	"strings"
)

// ofGit are the files that git reads wherever they are, folded, with what their
// short names on Windows begin with: characters of the name, or of a hash of it.
var ofGit = []struct{ name, short, hash string }{
	{".GITATTRIBUTES", "GITATT", "GI7D29"},
	{".GITIGNORE", "GITIGN", "GI250A"},
	{".GITMODULES", "GITMOD", "GI7EBA"},
	{".MAILMAP", "MAILMA", "MABA30"},
	{".LFSCONFIG", "LFSCON", ""},
}

// ofHosts are the names at the root of a repository that hosts and what builds
// at them read, folded.
var ofHosts = []string{
	".GITHUB", ".GITLAB", ".GITEA", ".FORGEJO", ".CIRCLECI", ".BUILDKITE", ".WOODPECKER", ".TEKTON", ".SEMAPHORE", ".BUILDS", ".BUILD.YML",
	".GITLAB-CI.YML", ".TRAVIS.YML", ".DRONE.YML", ".WOODPECKER.YML", ".WOODPECKER.YAML", ".CIRRUS.YML", ".APPVEYOR.YML", "APPVEYOR.YML",
	"AZURE-PIPELINES.YML", "BITBUCKET-PIPELINES.YML", "JENKINSFILE", "CODEOWNERS",
}

// shortName is what Windows calls a file beside its name: a few characters, and
// the number of the name among those that are alike.
var shortName = regexp.MustCompile(`\A([^~]+)~[0-9]+\z`)

// special gives the component of a path that means something to git or to
// hosts, or "".
func special(name string) string {
	root := true
	for part := range strings.SplitSeq(name, "/") {
		if meaning(part, root) {
			return part
		}
		root = false
	}
	return ""
}

// meaning says whether a component means something to git, or to hosts if it is
// at the root of the repository.
func meaning(s string, root bool) bool {
	for part := range seen(s) {
		if toGit(part) || root && slices.Contains(ofHosts, part) {
			return true
		}
	}
	return false
}

// toGit says whether git reads a file of this name, which is folded.
func toGit(s string) bool {
	short := ""
	if m := shortName.FindStringSubmatch(s); m != nil {
		short = m[1]
	}
	for _, f := range ofGit {
		if s == f.name || short != "" && (short == f.short || f.hash != "" && len(s) == 8 && strings.HasPrefix(f.hash, short)) {
			return true
		}
	}
	return false
}
