package gitpath

import (
	"slices"
	"strings"
)

// ofGit are the files that git reads wherever they are, with what their
// short names on Windows begin with: characters of the name, or of a hash of it.
var ofGit = []struct{ name, short, hash string }{
	{".gitattributes", "gitatt", "gi7d29"},
	{".gitignore", "gitign", "gi250a"},
	{".gitmodules", "gitmod", "gi7eba"},
	{".mailmap", "mailma", "maba30"},
	{".lfsconfig", "lfscon", ""},
}

// ofHosts are the names at the root of a repository that hosts and what builds
// at them read.
var ofHosts = []string{
	".github", ".gitlab", ".gitea", ".forgejo", ".circleci", ".buildkite", ".woodpecker", ".tekton", ".semaphore", ".builds", ".build.yml",
	".gitlab-ci.yml", ".travis.yml", ".drone.yml", ".woodpecker.yml", ".woodpecker.yaml", ".cirrus.yml", ".appveyor.yml", "appveyor.yml",
	"azure-pipelines.yml", "bitbucket-pipelines.yml", "jenkinsfile", "codeowners",
}

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
	return seen(s, func(s string) bool {
		same := func(name string) bool { return strings.EqualFold(s, name) }
		return toGit(s) || root && slices.ContainsFunc(ofHosts, same)
	})
}

// toGit says whether git reads a file of this name.
func toGit(s string) bool {
	short := shortName(s)
	for _, f := range ofGit {
		switch {
		case strings.EqualFold(s, f.name),
			short != "" && strings.EqualFold(short, f.short),
			short != "" && len(s) == 8 && len(short) <= len(f.hash) && strings.EqualFold(short, f.hash[:len(short)]):
			return true
		}
	}
	return false
}

// shortName is what is before the number of a short name, or "".
func shortName(s string) string {
	name, number, _ := strings.Cut(s, "~")
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return ""
	}
	return name
}
