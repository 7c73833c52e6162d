package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// variables are variables of an environment, by name.
type variables map[string]string

func (v variables) lookup(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// ofGitSync are the variables that git-sync knows, with what they are if they
// are not set.
var ofGitSync = map[string]string{
	"MINIO_ENDPOINT": "", "MINIO_ACCESS_KEY": "", "MINIO_SECRET_KEY": "", "MINIO_BUCKET": "cluster-backups", "MINIO_USE_SSL": "true",
	"GIT_REPOSITORY": "", "GIT_BRANCH": "main", "GIT_USERNAME": "cluster-backup", "GIT_EMAIL": "cluster-backup@example.com", "GIT_TOKEN": "",
	"SSH_KEY_PATH": "/etc/git-secrets/ssh-private-key", "WORK_DIR": "/tmp/git-sync-work", "LOG_LEVEL": "info",
}

// variablesOf reads the variables of git-sync from a file, or from the
// environment. Others that are in the file are among them, if their names look
// as if they belonged to it.
func variablesOf(path string, stdin io.Reader) (variables, error) {
	v := variables{}
	if path == "" {
		for name := range ofGitSync {
			if value := os.Getenv(name); value != "" {
				v[name] = value
			}
		}
		return v, nil
	}
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		name, value, err := assignment(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if _, known := ofGitSync[name]; value != "" && (known || strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "MINIO_")) {
			v[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// assignment reads NAME=VALUE, as shells and containers take it. Its error does
// not show the line: there may be a secret in it.
func assignment(line string) (name, value string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
	if !ok {
		return "", "", fmt.Errorf("a line is NAME=VALUE")
	}
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return strings.TrimSpace(name), value, nil
}

// gitSync gives the configuration that does what git-sync does with variables,
// and what could not be translated.
func gitSync(v variables) (text string, notes []string, err error) {
	var missing []string
	for _, name := range []string{"MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "GIT_REPOSITORY"} {
		if v[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", nil, fmt.Errorf("not set: %s; without them git-sync copies nothing to a repository", strings.Join(missing, ", "))
	}
	s := translation{Values: variables{}}
	for name, def := range ofGitSync {
		s.Values[name] = cmp.Or(v[name], def)
	}
	s.endpoint()
	s.repository(v)
	s.rest(v)
	var b strings.Builder
	err = syncTemplate.Execute(&b, s)
	return b.String(), s.Notes, err
}

// translation is what the configuration is made of.
type translation struct {
	Values   variables
	Endpoint string
	URL      string
	Token    bool
	SSH      bool
	Notes    []string
}

func (s *translation) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

func (s *translation) endpoint() {
	s.Endpoint = s.Values["MINIO_ENDPOINT"]
	switch {
	case strings.Contains(s.Endpoint, "://"):
	case s.Values["MINIO_USE_SSL"] == "true":
		s.Endpoint = "https://" + s.Endpoint
	default:
		s.Endpoint = "http://" + s.Endpoint
	}
}

// repository takes credentials out of the address, and finds out by which one
// is let in.
func (s *translation) repository(v variables) {
	s.URL = v["GIT_REPOSITORY"]
	u, err := url.Parse(s.URL)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	s.SSH = err == nil && u.Scheme == "ssh" || !strings.Contains(s.URL, "://") && strings.Contains(s.URL, "@")
	if web && u.User != nil {
		u.User = nil
		s.URL = u.String()
		s.note("GIT_REPOSITORY has credentials in it, which are left out: set GIT_TOKEN")
	}
	s.Token = web && u.Scheme == "https" && v["GIT_TOKEN"] != ""
	switch {
	case s.SSH:
		s.note("ssh: git-sync has keys of hosts built in; Sluice wants a file of them: ssh-keyscan shows them, compare them with what the host publishes, and set known_hosts")
	case v["SSH_KEY_PATH"] != "":
		s.note("SSH_KEY_PATH is not used: the repository is not reached by ssh")
	}
	if v["GIT_TOKEN"] != "" && !s.Token {
		s.note("GIT_TOKEN is not used: git-sync sends it to https:// only")
	}
}

func (s *translation) rest(v variables) {
	if level := s.Values["LOG_LEVEL"]; level != "info" {
		s.note("LOG_LEVEL is no option: run with --log-level %s", level)
	}
	var names []string
	for name := range v {
		if _, known := ofGitSync[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		s.note("%s is not known to git-sync, and was left out", name)
	}
}

var syncTemplate = template.Must(template.New("").Funcs(template.FuncMap{
	// text is a value in YAML, in which a dollar begins a variable.
	"text": func(s string) string { return strconv.Quote(strings.ReplaceAll(s, "$", "$$")) },
	"line": func(s string) string { return strings.Join(strings.Fields(s), " ") },
}).Parse(`# What kubeckup's git-sync does, written by sluice init git-sync. First see
#   sluice check -c FILE              whether all is there
#   sluice run -c FILE --dry-run      what would be committed
# The variables to which it refers must be set when it runs.
{{- if .Notes}}
#
# To be done by hand:
{{- range .Notes}}
#   {{line .}}
{{- end}}{{end}}
state: {{text (print .Values.WORK_DIR "/sluice")}}
memory: 128MiB               # of the process, for four lanes
http: 0.0.0.0:8080           # /metrics, as before, and /healthz and /readyz
metrics: {git_sync: true}    # the metrics of git-sync, too, by the names they had
pipelines:
  git-sync:
    source:
      s3:
        endpoint: {{text .Endpoint}}
        bucket: {{text .Values.MINIO_BUCKET}}
        prefix: clusterbackup/
        access_key: "${MINIO_ACCESS_KEY}"
        secret_key: "${MINIO_SECRET_KEY}"
    # What clusters write into manifests (status, uid, resourceVersion and the
    # like) can be left out, so that history shows what people changed:
    #transforms: [manifest]
    sink:
      git:
        url: {{text .URL}}
        branch: {{text .Values.GIT_BRANCH}}
{{- if .Token}}
        token: "${GIT_TOKEN}"
{{- end}}{{if .SSH}}
        ssh_key: {{text .Values.SSH_KEY_PATH}}
        known_hosts: /etc/git-secrets/known_hosts
{{- end}}
        path: clusterbackup
        strip: clusterbackup/
        author: {name: {{text .Values.GIT_USERNAME}}, email: {{text .Values.GIT_EMAIL}}}
        # In the repository, at refs/sluice/git-sync: WORK_DIR may be lost.
        remember: repository
        # git-sync never deleted. If more than this is to go at first, run once
        # with --max-delete, after --dry-run has shown what.
        max_delete: 20%
    # Without this, a run is one sync, as in a CronJob.
    #every: 10m
`))
