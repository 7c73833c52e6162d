package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"sluice/internal/unit"
)

// access gives what lets a git in at the remote now: files are read each time,
// tokens of an App are renewed ahead of their end.
func (r *Remote) access(ctx context.Context) (access, error) {
	a := access{remote: true}
	switch {
	case r.app != nil:
		token, err := r.app.token(ctx)
		if err != nil {
			return a, err
		}
		a.user, a.password = tokenUser, token
	case r.token != "":
		token, err := reread(r.token, r.tokenFile)
		if err != nil {
			return a, fmt.Errorf("token: %w", err)
		}
		a.user, a.password = cmp.Or(r.user, tokenUser), token
	case r.password != "":
		password, err := reread(r.password, r.passwordFile)
		if err != nil {
			return a, fmt.Errorf("password: %w", err)
		}
		a.user, a.password = r.user, password
	}
	r.learn(a)
	return a, nil
}

// tokenUser is the user that hosts of repositories take with a token.
const tokenUser = "x-access-token"

// renew reports whether there are other credentials than those that were
// refused.
func (r *Remote) renew(ctx context.Context, refused access) bool {
	if r.app != nil {
		r.app.forget(refused.password)
		return true
	}
	now, err := r.access(ctx)
	return err != nil || now != refused // the error is found again by who asks next
}

const mostSecret = 1 << 20 // bytes of a file that holds one

// reread gives a secret as its file holds it now. What is no regular file could
// be read only once, when the configuration was.
func reread(s unit.Secret, path string) (string, error) {
	if path == "" {
		return s.Reveal(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return s.Reveal(), err
	}
	text, err := io.ReadAll(io.LimitReader(f, mostSecret))
	if err != nil {
		return "", err
	}
	if secret := strings.TrimRight(string(text), "\r\n"); secret != "" {
		return secret, nil
	}
	return "", errors.New(path + ": it is empty")
}

// mostSeen is how many secrets are known beside each other: those of requests
// that are under way.
const mostSeen = 64

// learn remembers what is to be found in no message.
func (r *Remote) learn(a access) {
	if a.password == "" {
		return
	}
	basic := strings.TrimPrefix(a.header(), "Basic ")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range []string{a.password, basic, url.QueryEscape(a.password), url.PathEscape(a.password)} {
		if !slices.Contains(r.seen, s) {
			r.seen = append(r.seen, s)
		}
	}
	r.seen = r.seen[max(0, len(r.seen)-mostSeen):]
}

// redact replaces secrets in what git says.
func (r *Remote) redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range append(proxyPasswords(), r.seen...) {
		text = strings.ReplaceAll(text, s, "***")
	}
	return text
}

// proxyPasswords gives the passwords of proxies that git gets by its environment.
func proxyPasswords() (list []string) {
	for _, name := range passed {
		u, err := url.Parse(os.Getenv(name))
		if err != nil || u.User == nil {
			continue
		}
		if p, ok := u.User.Password(); ok && p != "" {
			list = append(list, p, url.QueryEscape(p), url.PathEscape(p))
		}
	}
	return list
}
