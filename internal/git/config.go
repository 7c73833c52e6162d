package git

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sluice/internal/gitpath"
	"sluice/internal/kind"
	"sluice/internal/unit"
)

// Config is where a repository is and how to get at it: the options that the git
// source and the git sink share.
type Config struct {
	URL        string        `yaml:"url" required:"true" doc:"The repository: https://host/group/repository.git, ssh://git@host/group/repository.git, git@host:group/repository.git, or the path of a bare repository on this machine."`
	Branch     string        `yaml:"branch" default:"main" doc:"Branch, or the full name of another reference, such as refs/tags/v1."`
	Token      unit.Secret   `yaml:"token" doc:"Access token, for https. One that is in a file (token_file) is read anew each time, so that it can be rotated."`
	Username   string        `yaml:"username" doc:"User of the password, or the name that is sent with a token: x-access-token if it is not given, which GitHub, GitLab and Gitea take."`
	Password   unit.Secret   `yaml:"password" doc:"Password of username, for https. It too may be rotated in its file."`
	GitHubApp  App           `yaml:"github_app" doc:"App of GitHub that the repository has installed, instead of a token."`
	SSHKey     string        `yaml:"ssh_key" doc:"Path of the private key, which has no passphrase, for ssh."`
	KnownHosts string        `yaml:"known_hosts" doc:"Path of the file with the public keys of the host, as ssh-keyscan writes it, for ssh: no other host is spoken to."`
	CA         string        `yaml:"ca" doc:"File with the certificates (PEM) that the host's is checked against; default: those of the system."`
	Plaintext  bool          `yaml:"plaintext" doc:"Send credentials to a http:// address, though everybody on the way can read them."`
	Retry      unit.Duration `yaml:"retry" default:"5m" doc:"Time for which a request that fails is tried again."`

	files files
}

// files are the paths of the files in which options are.
type files struct{ token, password string }

// FromFile implements [kind.Filed].
func (c *Config) FromFile(option, path string) {
	switch option {
	case "token":
		c.files.token = path
	case "password":
		c.files.password = path
	}
}

// heads is what the full names of branches begin with.
const heads = "refs/heads/"

// Ref is the full name of the reference.
func (c *Config) Ref() string {
	branch := cmp.Or(c.Branch, "main")
	if strings.HasPrefix(branch, "refs/") {
		return branch
	}
	return heads + branch
}

// Location names repository and branch, without secrets: what positions and
// commits depend on.
func (c *Config) Location() string {
	at, err := parseAddress(c.URL)
	if err != nil {
		return "a repository that is not known" // Problems says why
	}
	return location(at, c.Ref())
}

func location(at address, ref string) string { return at.url + " " + strings.TrimPrefix(ref, heads) }

// Problems checks the options. It reads no files.
func (c *Config) Problems() (list []kind.Problem) {
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if err := gitpath.Ref(c.Ref()); err != nil {
		add("branch", "git cannot have it: %s", err)
	}
	at, err := parseAddress(c.URL)
	if err != nil {
		add("url", "%s", err)
		return list
	}
	ways := c.ways()
	if len(ways) > 1 {
		add(ways[1], "%s is given too; give one of them", ways[0])
	}
	if c.Username != "" && c.Password == "" && c.Token == "" {
		add("username", "there is no password and no token")
	}
	if c.Password != "" && c.Username == "" {
		add("password", "there is no username")
	}
	for _, option := range c.foreign(at) {
		add(option, "it is not for %s: leave it out", cmp.Or(map[string]string{"file": "a repository on this machine"}[at.scheme], at.scheme))
	}
	if at.scheme == "http" && len(ways) > 0 && !at.local() && !c.Plaintext {
		add("url", "everybody on the way to %s can read what http:// carries, and credentials too; write https://, or allow it by plaintext: true", at.host)
	}
	if at.scheme == "ssh" && c.SSHKey == "" {
		add("ssh_key", "it is missing; give the path of the private key")
	}
	if at.scheme == "ssh" && c.KnownHosts == "" {
		add("known_hosts", "it is missing; without the host's public keys anybody could answer in its place: ssh-keyscan shows them, compare them with what the host publishes")
	}
	return append(list, c.GitHubApp.problems(at)...)
}

// ways lists the options that say who asks by http.
func (c *Config) ways() (list []string) {
	if c.Token != "" {
		list = append(list, "token")
	}
	if c.Password != "" {
		list = append(list, "password")
	}
	if c.GitHubApp.given() {
		list = append(list, "github_app")
	}
	return list
}

// foreign lists the options that are of no use with an address.
func (c *Config) foreign(at address) (list []string) {
	web := c.ways()
	if c.Username != "" {
		web = append(web, "username")
	}
	if c.CA != "" {
		web = append(web, "ca")
	}
	if !at.web() {
		list = append(list, web...)
	}
	if at.scheme != "ssh" && c.SSHKey != "" {
		list = append(list, "ssh_key")
	}
	if at.scheme != "ssh" && c.KnownHosts != "" {
		list = append(list, "known_hosts")
	}
	return list
}

// Warnings implements [kind.Warner].
func (c *Config) Warnings() []string {
	at, err := parseAddress(c.URL)
	if err != nil || at.scheme != "http" || len(c.ways()) == 0 || at.local() {
		return nil
	}
	return []string{"plaintext: everybody on the way to " + at.host + " can read the credentials, and change what is moved"}
}

// Remote makes what speaks to the repository. It does no input or output.
func (c *Config) Remote() (*Remote, error) {
	at, err := parseAddress(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	r := &Remote{at: at, name: location(at, c.Ref()), retry: time.Duration(c.Retry), stall: stall, user: c.Username}
	paths := []*string{&r.ca, &r.tokenFile, &r.passwordFile}
	for i, path := range []string{c.CA, c.files.token, c.files.password} {
		if *paths[i], err = absolute(path); err != nil {
			return nil, err
		}
	}
	r.token, r.password = c.Token, c.Password
	if at.scheme == "ssh" {
		key, err := absolute(c.SSHKey)
		if err != nil {
			return nil, err
		}
		hosts, err := absolute(c.KnownHosts)
		if err != nil {
			return nil, err
		}
		r.ssh = sshCommand(key, hosts)
	}
	if c.GitHubApp.given() {
		r.app = c.GitHubApp.issuer(at, r.ca)
	}
	return r, nil
}

// absolute makes a path independent of the directory that git runs in; "" stays.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
