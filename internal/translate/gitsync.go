package translate

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// gitSyncDefaults are the variables that git-sync reads, with what they are if
// they are not set (walbis/kubeckup, code/git-sync).
var gitSyncDefaults = [][2]string{
	{"MINIO_ENDPOINT", ""}, {"MINIO_ACCESS_KEY", ""}, {"MINIO_SECRET_KEY", ""}, {"MINIO_BUCKET", "cluster-backups"}, {"MINIO_USE_SSL", "true"},
	{"GIT_REPOSITORY", ""}, {"GIT_BRANCH", "main"}, {"GIT_USERNAME", "cluster-backup"}, {"GIT_EMAIL", "cluster-backup@example.com"}, {"GIT_TOKEN", ""},
	{"SSH_KEY_PATH", "/etc/git-secrets/ssh-private-key"}, {"WORK_DIR", "/tmp/git-sync-work"}, {"LOG_LEVEL", "info"},
	{"RETRY_ATTEMPTS", ""}, {"RETRY_DELAY", ""}, // which its README names, and it does not read
}

// gitSync is git-sync of kubeckup, which has an environment and no options.
func gitSync() *Tool {
	t := &Tool{
		Name:      "git-sync",
		About:     "kubeckup's git-sync",
		Examples:  []string{"sluice init git-sync --env-file git-sync.env", "kubectl exec deploy/git-sync -- env | sluice init git-sync --env-file -"},
		Prefixes:  []string{"GIT_", "MINIO_"},
		translate: synced,
	}
	for _, d := range gitSyncDefaults {
		t.Variables = append(t.Variables, d[0])
	}
	return t
}

// variable takes a variable of git-sync, or its default.
func (c *command) variable(name string) string {
	for _, d := range gitSyncDefaults {
		if d[0] == name {
			return cmp.Or(c.env(name), d[1])
		}
	}
	return c.env(name)
}

// synced translates git-sync.
func synced(c *command) error {
	var missing []string
	for _, name := range []string{"MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "GIT_REPOSITORY"} {
		if c.env(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not set: %s; without them git-sync copies nothing to a repository", strings.Join(missing, ", "))
	}
	p := c.plan
	p.head = mapping{
		{key: "state", value: c.variable("WORK_DIR") + "/sluice"},
		{key: "memory", value: "128MiB", about: "Of the process, for four lanes."},
		{key: "http", value: "0.0.0.0:8080", about: "/metrics as before, by the names that git-sync has, too, and /healthz and /readyz."},
		{key: "metrics", value: mapping{{key: "git_sync", value: true}}},
	}
	p.source = stage{"s3", mapping{
		{key: "endpoint", value: c.minio()},
		{key: "bucket", value: c.variable("MINIO_BUCKET")},
		{key: "prefix", value: "clusterbackup/"},
		{key: "access_key", value: p.secret("MINIO_ACCESS_KEY", "which git-sync had, too")},
		{key: "secret_key", value: p.secret("MINIO_SECRET_KEY", "which git-sync had, too")},
	}}
	p.source.options.hint("include", "prod/**", "Clusters and namespaces, if not all are wanted:")
	p.sink.kind = "git"
	c.gitRepository(&p.sink.options)
	p.sink.options = append(p.sink.options, mapping{
		{key: "path", value: "clusterbackup"},
		{key: "strip", value: "clusterbackup/"},
		{key: "author", value: mapping{{key: "name", value: c.variable("GIT_USERNAME")}, {key: "email", value: c.variable("GIT_EMAIL")}}},
		{key: "remember", value: "repository", about: "In the repository, at refs/sluice/git-sync: the directory of the state may be lost."},
		{key: "max_delete", value: "20%", about: "git-sync never deleted. If more than this is to go at first, run once with --max-delete, after --dry-run has shown what."},
	}...)
	p.rest.hint("transforms", []string{"manifest"}, manifests)
	p.rest.hint("every", "10m", "Without this, a run is one sync, as in a CronJob.")
	if level := c.variable("LOG_LEVEL"); level != "info" {
		p.note("LOG_LEVEL is no option: run with --log-level %s", level)
	}
	if c.env("RETRY_ATTEMPTS")+c.env("RETRY_DELAY") != "" {
		c.say(true, "RETRY_ATTEMPTS, RETRY_DELAY: "+tries)
	}
	return nil
}

// minio is the address of the store.
func (c *command) minio() string {
	endpoint, secure := c.variable("MINIO_ENDPOINT"), c.variable("MINIO_USE_SSL") == "true"
	switch {
	case strings.Contains(endpoint, "://"):
		return endpoint
	case secure:
		return "https://" + endpoint
	}
	return "http://" + endpoint
}

// gitRepository says which repository it is, and what lets in there.
func (c *command) gitRepository(m *mapping) {
	p, at := c.plan, c.variable("GIT_REPOSITORY")
	u, err := url.Parse(at)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	ssh := err == nil && u.Scheme == "ssh" || !strings.Contains(at, "://") && strings.Contains(at, "@")
	if web && u.User != nil {
		u.User = nil
		at = u.String()
		p.note("GIT_REPOSITORY has credentials in it, which are left out: set GIT_TOKEN")
	}
	m.set("url", at)
	m.set("branch", c.variable("GIT_BRANCH"))
	token := c.env("GIT_TOKEN")
	switch {
	case token != "" && web && u.Scheme == "https":
		m.set("token", p.secret("GIT_TOKEN", "which git-sync had, too"))
	case token != "":
		p.note("GIT_TOKEN is not used: git-sync sends it to https:// only")
	}
	key := c.env("SSH_KEY_PATH")
	switch {
	case ssh:
		m.set("ssh_key", c.variable("SSH_KEY_PATH"))
		m.set("known_hosts", "/etc/git-secrets/known_hosts")
		p.note("ssh: git-sync has keys of hosts built in; Sluice wants a file of them: ssh-keyscan shows them, compare them with what the host publishes, and set known_hosts")
	case key != "":
		p.note("SSH_KEY_PATH is not used: the repository is not reached by ssh")
	}
}
