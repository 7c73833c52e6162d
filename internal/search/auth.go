package search

import (
	"net/http"
	"net/url"

	"sluice/internal/kind"
)

// Warnings implements [kind.Warner].
func (c Config) Warnings() []string {
	if !c.TLS.Insecure {
		return nil
	}
	return []string{"tls.insecure: the cluster's certificate is not checked: who sits between can read and change all that is moved, and credentials too; tls.ca is the safe way to trust a certificate of your own"}
}

// ways lists the options that say who asks.
func (c Config) ways() (list []string) {
	if user, _ := c.user(); user != "" {
		list = append(list, "username")
	}
	if c.APIKey != "" {
		list = append(list, "api_key")
	}
	if c.Bearer != "" {
		list = append(list, "bearer")
	}
	if c.AWS != (AWS{}) {
		list = append(list, "aws")
	}
	return list
}

// authProblems checks the options that say who asks.
func (c Config) authProblems() (list []kind.Problem) {
	if ways := c.ways(); len(ways) > 1 {
		list = append(list, kind.Problem{Option: ways[1], Message: ways[0] + " is given too; give one of them"})
	}
	if c.Password != "" && c.Username == "" {
		list = append(list, kind.Problem{Option: "password", Message: "there is no username"})
	}
	if c.AWS != (AWS{}) {
		list = append(list, c.AWS.problems(c.URL)...)
	}
	return list
}

// user gives user and password, those of an address if there is no option.
func (c Config) user() (user, password string) {
	if c.Username != "" {
		return c.Username, c.Password.Reveal()
	}
	for _, text := range c.URL {
		if u, err := url.Parse(text); err == nil && u.User != nil {
			password, _ = u.User.Password()
			return u.User.Username(), password
		}
	}
	return "", ""
}

// authorization gives the header of that name, or "".
func (c Config) authorization() string {
	switch {
	case c.APIKey != "":
		return "ApiKey " + c.APIKey.Reveal()
	case c.Bearer != "":
		return "Bearer " + c.Bearer.Reveal()
	}
	user, password := c.user()
	if user == "" {
		return ""
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}
