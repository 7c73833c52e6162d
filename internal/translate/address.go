package translate

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// address is the URL of a cluster, taken apart.
type address struct {
	url            string   // without user, path and password
	segments       []string // of the path
	user, password string
}

// parseAddress reads a URL. Its error does not show it.
func parseAddress(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return address{}, errNoURL
	}
	a := address{user: u.User.Username()}
	a.password, _ = u.User.Password()
	for s := range strings.SplitSeq(strings.Trim(u.EscapedPath(), "/"), "/") {
		if name, err := url.PathUnescape(s); err == nil && name != "" {
			a.segments = append(a.segments, name)
		}
	}
	a.url = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	return a, nil
}

// under is the URL with the first n segments of its path.
func (a address) under(n int) string {
	return strings.Join(append([]string{a.url}, a.segments[:n]...), "/")
}

// login adds user and password; the latter under the name of a variable.
func (p *plan) login(m *mapping, user string, password reference) {
	m.set("username", user)
	m.set("password", password)
}

// indices takes a list of indices apart: names and wildcards, and those that
// are left out, with a - before them.
func indices(list string) (names, without []string, err error) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
		case name[0] == '.':
			return nil, nil, fmt.Errorf("%s: indices whose names begin with a dot belong to the engine, and are not read", name)
		case name == "_all":
			names = append(names, "*")
		case name[0] == '-':
			without = append(without, name[1:])
		default:
			names = append(names, name)
		}
	}
	return names, without, nil
}

// amazon finds the service and the region in the name of a host of Amazon.
var amazon = regexp.MustCompile(`\.([a-z0-9-]+)\.(es|aoss)\.amazonaws\.com`)

// unpacked is what stands between objects or files and an index.
func unpacked() []stage { return []stage{{kind: "decompress"}, {kind: "lines"}} }

// deadLetters is where records go that can never be delivered.
func (p *plan) deadLetters() {
	p.rest = append(p.rest, entry{
		key: "dead_letters", value: mapping{{key: "file", value: mapping{{key: "path", value: "./dead"}}}},
		about: "Records that the cluster refuses for good are kept, with the reason:\nsluice dead-letters list and replay.",
	})
}
