package awscreds_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/awscreds/awstest"
)

// secret is in everything that must not be shown.
const secret = "S3CR3T"

// alone takes everything away in which credentials could be found.
func alone(t *testing.T) (home string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	home = t.TempDir()
	set(t, map[string]string{
		"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"), "AWS_CONFIG_FILE": filepath.Join(home, "config"),
	})
	return home
}

func set(t *testing.T, env map[string]string) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// amazon is a service that gives credentials to those who ask as they must. It
// numbers what it gives.
type amazon struct {
	url string
	now func() time.Time // of the end of what it gives, an hour later

	mu     sync.Mutex
	given  int
	denied string        // what it says to everybody
	hold   chan struct{} // it answers when this is closed
	asked  chan struct{} // gets one for each request, if there is room
	token  string        // of web identity, container, or single sign-on
	role   string        // that may be assumed
	base   awstest.Verifier
	form   url.Values // what must be in a request for a role
	broken string     // what it answers instead of JSON
}

func newAmazon(t *testing.T) *amazon {
	a := &amazon{now: time.Now, asked: make(chan struct{}, 100), token: secret + "token", role: "arn:aws:iam::123456789012:role/r", form: url.Values{}}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	a.url = s.URL
	return a
}

// set changes it under its lock.
func (a *amazon) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	hold := a.hold
	a.mu.Unlock()
	a.asked <- struct{}{}
	if hold != nil {
		<-hold
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	switch {
	case a.denied != "":
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>not you</Message></Error></ErrorResponse>`, a.denied)
	case a.broken != "":
		fmt.Fprint(w, a.broken)
	case r.Method == "POST":
		a.sts(w, r, form, body)
	case strings.HasPrefix(r.URL.Path, "/latest/"):
		a.imds(w, r)
	case r.URL.Path == "/container":
		a.guarded(w, r.Header.Get("Authorization"), func(n int) any { return a.keys(n) })
	case r.URL.Path == "/federation/credentials" && r.URL.Query().Get("role_name") == "admin" && r.URL.Query().Get("account_id") == "123456789012":
		a.guarded(w, r.Header.Get("X-Amz-Sso_bearer_token"), func(n int) any {
			return map[string]any{"roleCredentials": map[string]any{"accessKeyId": fmt.Sprintf("key%d", n), "secretAccessKey": secret, "sessionToken": secret,
				"expiration": a.now().Add(time.Hour).UnixMilli()}}
		})
	default:
		http.Error(w, "no such thing: "+r.Method+" "+r.URL.String(), http.StatusNotFound)
	}
}

func (a *amazon) keys(n int) any {
	return map[string]any{"Code": "Success", "AccessKeyId": fmt.Sprintf("key%d", n), "SecretAccessKey": secret, "Token": secret, "Expiration": a.now().Add(time.Hour)}
}

// guarded answers who shows the token.
func (a *amazon) guarded(w http.ResponseWriter, token string, answer func(n int) any) {
	if token != a.token {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":"Unauthorized","message":"the token is wrong"}`)
		return
	}
	a.given++
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer(a.given))
}

// imds is version 2 of the metadata service of a machine, and no other.
func (a *amazon) imds(w http.ResponseWriter, r *http.Request) {
	const list = "/latest/meta-data/iam/security-credentials/"
	switch {
	case r.Method == "PUT" && r.URL.Path == "/latest/api/token" && r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") != "":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		fmt.Fprint(w, a.token)
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != a.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == list:
		fmt.Fprint(w, "machine")
	case r.URL.Path == list+"machine":
		a.given++
		json.NewEncoder(w).Encode(a.keys(a.given))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// sts assumes roles: for who signs, or who shows the token.
func (a *amazon) sts(w http.ResponseWriter, r *http.Request, form url.Values, body []byte) {
	var problem error
	switch action := form.Get("Action"); action {
	case "AssumeRole":
		problem = a.base.Check(r, body)
	case "AssumeRoleWithWebIdentity":
		if form.Get("WebIdentityToken") != a.token {
			problem = fmt.Errorf("the token is wrong")
		}
	default:
		problem = fmt.Errorf("no such action: %q", action)
	}
	if problem == nil && form.Get("RoleArn") != a.role {
		problem = fmt.Errorf("role %q", form.Get("RoleArn"))
	}
	for name := range a.form {
		if problem == nil && form.Get(name) != a.form.Get(name) {
			problem = fmt.Errorf("%s is %q, not %q", name, form.Get(name), a.form.Get(name))
		}
	}
	if problem != nil {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>%v</Message></Error></ErrorResponse>`, problem)
		return
	}
	a.given++
	action := form.Get("Action")
	fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>key%d</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		action, a.given, secret, secret, a.now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// ways are all the ways to credentials of a fake, which they ask for in the
// environment that they make. Each gives the options.
func (a *amazon) imdsWay(t *testing.T) {
	set(t, map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": a.url})
}

func (a *amazon) containerWay(t *testing.T, home string) {
	set(t, map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI":     a.url + "/container?x=" + secret,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": write(t, filepath.Join(home, "token"), a.token),
	})
}

func (a *amazon) webIdentityWay(t *testing.T, home string) {
	set(t, map[string]string{
		"AWS_ENDPOINT_URL_STS": a.url, "AWS_ROLE_ARN": a.role,
		"AWS_WEB_IDENTITY_TOKEN_FILE": write(t, filepath.Join(home, "token"), a.token),
	})
}

func (a *amazon) ssoWay(t *testing.T, home string) {
	sum := sha1.Sum([]byte("corp"))
	write(t, filepath.Join(home, ".aws/sso/cache", hex.EncodeToString(sum[:])+".json"),
		fmt.Sprintf(`{"accessToken":%q,"expiresAt":%q,"region":"eu-west-1","startUrl":"https://corp.example/start"}`, a.token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	write(t, filepath.Join(home, "config"), "[profile people]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = admin\n"+
		"[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n")
	set(t, map[string]string{"AWS_ENDPOINT_URL_SSO": a.url})
}

// command writes a command that numbers what it prints.
func command(t *testing.T, dir, output string) string {
	count := filepath.Join(dir, "count")
	return write(t, filepath.Join(dir, "helper"), fmt.Sprintf(`#!/bin/sh
[ "$1" = "two words" ] || { echo %s >&2; exit 7; }
echo x >>%s
n=$(wc -l <%s | tr -d ' ')
cat <<EOF
%s
EOF
`, secret, count, count, output))
}

const printed = `{"Version":1,"AccessKeyId":"key$n","SecretAccessKey":"` + secret + `","SessionToken":"` + secret + `","Expiration":"2099-01-01T00:00:00Z"}`
