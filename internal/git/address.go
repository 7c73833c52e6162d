package git

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// address is where a repository is.
type address struct {
	scheme string // as git calls it: http, https, ssh or file
	url    string // as git takes it, without secrets; of a file an absolute path
	origin string // scheme, host and port of http and https
	host   string // without the port
	user   string // of ssh
}

func (a address) web() bool { return a.scheme == "http" || a.scheme == "https" }

// short is how SSH addresses are usually written: user@host:path.
var short = regexp.MustCompile(`^(?:([^@:/\s]+)@)?([^@:/\s]+):(.+)$`)

// parseAddress reads an address. Its errors do not repeat it: there may be a
// password in it.
func parseAddress(text string) (address, error) {
	switch {
	case text == "":
		return address{}, errors.New("it is empty; write it as https://host/group/repository.git")
	case strings.HasPrefix(text, "-"):
		return address{}, errors.New("it begins with -; write it as https://host/group/repository.git")
	case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return address{}, errors.New("it has a control character in it")
	case strings.Contains(text, "://"):
		return parseURL(text)
	}
	first, _, _ := strings.Cut(text, "/")
	if !strings.Contains(first, ":") {
		path, err := filepath.Abs(text)
		return address{scheme: "file", url: path}, err
	}
	m := short.FindStringSubmatch(text)
	if m == nil || strings.HasPrefix(m[3], ":") || hostProblem(m[1], m[2]) {
		return address{}, errors.New("this is neither a URL, nor user@host:path, nor a path; write it as https://host/group/repository.git")
	}
	return address{scheme: "ssh", url: text, host: m[2], user: m[1]}, nil
}

// hostProblem reports whether ssh would take user or host for an option.
func hostProblem(user, host string) bool {
	return strings.HasPrefix(user, "-") || strings.HasPrefix(host, "-")
}

func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return address{}, errors.New("this is not a URL; write it as https://host/group/repository.git")
	}
	_, secret := u.User.Password()
	switch {
	case secret, u.User != nil && u.Scheme != "ssh":
		return address{}, errors.New("credentials in a URL end up in logs; give them as token, or as username and password")
	case u.RawQuery != "", u.Fragment != "":
		return address{}, errors.New("a repository has no query and no fragment; leave out what begins with ? or #")
	}
	a := address{scheme: u.Scheme, url: strings.TrimRight(text, "/"), host: u.Hostname()}
	switch u.Scheme {
	case "http", "https":
		a.origin = u.Scheme + "://" + u.Host
	case "ssh":
		a.user = u.User.Username()
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return address{}, errors.New("write the path of a repository of this machine as file:///path, or alone")
		}
		a.url = u.Path
		return a, nil
	default:
		return address{}, fmt.Errorf("%s: is not known; https, ssh, and paths are", u.Scheme)
	}
	if a.host == "" || strings.Trim(u.Path, "/") == "" || hostProblem(a.user, a.host) {
		return address{}, errors.New("host or path is missing; write it as https://host/group/repository.git")
	}
	return a, nil
}

// local reports whether what is sent there does not leave this machine.
func (a address) local() bool {
	ip := net.ParseIP(a.host)
	return a.host == "localhost" || ip != nil && ip.IsLoopback()
}
