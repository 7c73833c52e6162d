package git

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/internal/kind"
	"sluice/internal/unit"
)

// App is the options of an App of GitHub: Sluice asks for a token of one of its
// installations, and for a new one before that ends.
type App struct {
	ID           string      `yaml:"id" doc:"ID of the App, or its client ID."`
	Installation int64       `yaml:"installation" min:"1" doc:"ID of the installation, which is the last part of its address in the settings of GitHub."`
	Key          unit.Secret `yaml:"key" doc:"Private key of the App (PEM)."`
	API          string      `yaml:"api" doc:"Address of the API; if it is not given, that of the host of url: https://api.github.com, or https://HOST/api/v3."`

	keyFile string
}

// FromFile implements [kind.Filed].
func (a *App) FromFile(option, path string) {
	if option == "key" {
		a.keyFile = path
	}
}

func (a *App) given() bool { return a.ID != "" || a.Installation != 0 || a.Key != "" || a.API != "" }

func (a *App) problems(at address) (list []kind.Problem) {
	if !a.given() {
		return nil
	}
	if a.ID == "" || a.Installation == 0 || a.Key == "" {
		list = append(list, kind.Problem{Option: "github_app", Message: "id, installation and key belong together: give all of them"})
	}
	if a.Key != "" && a.keyFile == "" {
		if _, err := parseKey(a.Key.Reveal()); err != nil {
			list = append(list, kind.Problem{Option: "github_app.key", Message: err.Error()})
		}
	}
	api, err := parseAddress(a.api(at) + "/app")
	if err != nil || !api.web() || api.scheme == "http" && !api.local() {
		list = append(list, kind.Problem{Option: "github_app.api", Message: "write it as https://host/api/v3"})
	}
	return list
}

// api is the address of the API.
func (a *App) api(at address) string {
	switch {
	case a.API != "":
		return strings.TrimRight(a.API, "/")
	case at.host == "github.com":
		return "https://api.github.com"
	}
	return at.origin + "/api/v3"
}

// issuer gets tokens of an installation. It is safe for concurrent use.
type issuer struct {
	app    App
	url    string
	client func() (*http.Client, error)

	mu    sync.Mutex // held while a token is fetched: the others wait for it
	now   string     // the token, "" if there is none
	until time.Time
}

const (
	ahead     = 5 * time.Minute  // of its end a token is renewed: requests that use it have just begun
	longReply = 1 << 20          // bytes
	patience  = 30 * time.Second // for one reply
)

func (a *App) issuer(at address, ca string) *issuer {
	s := &issuer{app: *a, url: a.api(at) + "/app/installations/" + strconv.FormatInt(a.Installation, 10) + "/access_tokens"}
	s.client = sync.OnceValues(func() (*http.Client, error) { return newClient(ca) })
	return s
}

func newClient(ca string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true // it is asked once an hour
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, errors.New("ca: " + ca + ": no certificate in PEM form")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// forget says that a token was refused.
func (s *issuer) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == token {
		s.now = ""
	}
}

// token gives a token that does not end soon. A failure that may pass is
// *passing.
func (s *issuer) token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != "" && time.Until(s.until) > ahead {
		return s.now, nil
	}
	text, err := reread(s.app.Key, s.app.keyFile)
	if err != nil {
		return "", fmt.Errorf("github_app: key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return "", fmt.Errorf("github_app: key: %w", err)
	}
	claim, err := sign(key, s.app.ID, time.Now())
	if err != nil {
		return "", fmt.Errorf("github_app: key: %w", err)
	}
	s.now, s.until, err = s.fetch(ctx, claim)
	if err != nil {
		return "", fmt.Errorf("github_app: %w", err)
	}
	return s.now, nil
}

// fetch asks for a token.
func (s *issuer) fetch(ctx context.Context, claim string) (token string, until time.Time, err error) {
	client, err := s.client()
	if err != nil {
		return "", until, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, nil)
	if err != nil {
		return "", until, err
	}
	req.Header.Set("Authorization", "Bearer "+claim)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "sluice")
	resp, err := client.Do(req)
	if err != nil {
		return "", until, unsent(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longReply))
	if err != nil {
		return "", until, &passing{cause: "connection", err: err}
	}
	if resp.StatusCode != http.StatusCreated {
		return "", until, s.refused(resp.StatusCode, body)
	}
	var reply struct {
		Token string    `json:"token"`
		Until time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(body), &reply); err != nil || reply.Token == "" {
		return "", until, &passing{cause: "reply", err: errors.New("POST " + s.url + ": the reply holds no token")} // a page of some proxy
	}
	return reply.Token, reply.Until, nil
}

// unsent says why there was no reply.
func unsent(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Refused{Kind: Untrusted, Detail: err.Error(), Remedy: remedyCA}
	}
	if late, ok := errors.AsType[*url.Error](err); ok && late.Timeout() {
		return &passing{cause: causeTimeout, err: err}
	}
	return &passing{cause: causeConnection, err: err}
}

// refused says what an answer without a token means.
func (s *issuer) refused(status int, body []byte) error {
	var reply struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &reply) // it may be a page of some proxy
	text := fmt.Sprintf("POST %s: %d %s", s.url, status, cmp.Or(reply.Message, http.StatusText(status)))
	switch {
	case status == 408, status == 429, status >= 500:
		return &passing{cause: strconv.Itoa(status), err: errors.New(text)}
	case status == 401:
		return &Refused{Kind: Denied, Detail: text, Remedy: "check id and key of github_app, and the clock of this machine"}
	case status == 404:
		return &Refused{Kind: Denied, Detail: text, Remedy: "check installation and id of github_app"}
	}
	return &Refused{Kind: Denied, Detail: text}
}
