package git

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// access is what lets a git in at the remote. The zero value is that of one that
// does not speak to it.
type access struct {
	remote         bool
	user, password string // none: it is let in without
}

// header is the value of the header that carries user and password, or "".
func (a access) header() string {
	if a.user == "" && a.password == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.user+":"+a.password))
}

// passed are variables that git gets from our environment: where programs are,
// room for temporary files, and proxies.
var passed = []string{"PATH", "TMPDIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}

// environ makes the environment of a git. Nothing of the machine's configuration
// is in it. Secrets are here and nowhere else: arguments can be read by every
// user of the machine.
func (r *Remote) environ(c call, a access) []string {
	env := []string{
		"LC_ALL=C",
		"HOME=" + os.DevNull, // no .netrc, no .config, no .gitconfig
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_NO_LAZY_FETCH=1", // since 2.45: what is missing is an error
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_ALLOW_PROTOCOL=" + r.at.scheme,
	}
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if c.dir != "" {
		env = append(env, "GIT_DIR="+c.dir)
	} else {
		env = append(env, "GIT_CEILING_DIRECTORIES=/")
	}
	if a.remote && r.at.scheme == "ssh" {
		env = append(env, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND="+r.ssh)
	}
	return append(append(env, r.settings(a)...), c.env...)
}

// settings gives configuration to git by its environment.
func (r *Remote) settings(a access) (env []string) {
	set := func(name, value string) {
		n := strconv.Itoa(len(env) / 2)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+name, "GIT_CONFIG_VALUE_"+n+"="+value)
	}
	set("core.hooksPath", os.DevNull)
	set("gc.auto", "0")
	set("maintenance.auto", "false")
	set("advice.pushUpdateRejected", "false")
	if a.remote {
		set("protocol.version", "2")
		set("credential.helper", "")
	}
	if a.remote && r.at.web() {
		set("http.followRedirects", "false") // credentials stay where they were meant to go
		set("http.lowSpeedLimit", "1")
		set("http.lowSpeedTime", fmt.Sprint(int(max(r.stall, time.Second)/time.Second)))
		if r.ca != "" {
			set("http.sslCAInfo", r.ca)
		}
	}
	if header := a.header(); header != "" {
		set("http."+r.at.origin+"/.extraHeader", "Authorization: "+header)
	}
	return append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(env)/2))
}

// quote makes one word of a shell of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
