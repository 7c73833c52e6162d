package git_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/git"
	"sluice/internal/unit"
	"sluice/test/servers"
)

// hub is the API of a GitHub that issues tokens of one installation.
type hub struct {
	*httptest.Server
	host *servers.GitHost
	key  *rsa.PrivateKey

	mu     sync.Mutex
	issued int
	lasts  time.Duration // a token
	faults []int         // statuses of the next answers
}

func newHub(t *testing.T) *hub {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{host: servers.Git(t), key: key, lasts: time.Hour}
	h.host.Accept()
	h.host.Repository(t, "x.git")
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP implements http.Handler. It accepts the last token it has issued at
// the host, and no other.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) > 0 {
		w.WriteHeader(h.faults[0])
		h.faults = h.faults[1:]
		return
	}
	if err := h.proven(r.Header.Get("Authorization")); err != nil || r.Method != "POST" {
		w.WriteHeader(401)
		json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprint("A JSON web token could not be decoded: ", err)})
		return
	}
	if r.URL.Path != "/app/installations/7/access_tokens" {
		http.Error(w, `{"message":"Not Found"}`, 404)
		return
	}
	h.issued++
	token := fmt.Sprintf("ghs_issued%d", h.issued)
	h.host.Accept(token)
	w.WriteHeader(201)
	json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_at": time.Now().Add(h.lasts).UTC().Format(time.RFC3339)})
}

// proven checks a JSON Web Token as GitHub does.
func (h *hub) proven(header string) error {
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&h.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var claims struct {
		Issued int64  `json:"iat"`
		Ends   int64  `json:"exp"`
		Issuer string `json:"iss"`
	}
	now := time.Now().Unix()
	if err := json.Unmarshal(text, &claims); err != nil || claims.Issuer != "Iv1.abc" || claims.Issued > now || claims.Ends > now+600 || claims.Ends < now {
		return fmt.Errorf("claims %s", text)
	}
	return nil
}

func (h *hub) config() git.Config {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(h.key)})
	return git.Config{
		URL: h.host.URL + "/x.git", Retry: unit.Duration(10 * time.Second),
		GitHubApp: git.App{ID: "Iv1.abc", Installation: 7, Key: unit.Secret(key), API: h.URL + "/"},
	}
}

func (h *hub) tokens() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.issued
}

func TestAnAppGetsATokenAndKeepsIt(t *testing.T) {
	h := newHub(t)
	h.faults = []int{502, 503}
	r := mustOpen(t, h.config())
	for range 3 {
		if _, err := r.Resolve(t.Context(), main); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.tokens(); got != 1 {
		t.Errorf("got %d tokens, want 1", got)
	}
}

func TestTokensOfAnAppAreRenewedAheadOfTheirEnd(t *testing.T) {
	h := newHub(t)
	h.lasts = 4 * time.Minute
	r := mustOpen(t, h.config())
	if _, err := r.Resolve(t.Context(), main); err != nil {
		t.Fatal(err)
	}
	if got := h.tokens(); got != 2 {
		t.Errorf("got %d tokens, want one for each request", got)
	}
}

func TestATokenOfAnAppThatIsRefusedIsRenewedOnce(t *testing.T) {
	h := newHub(t)
	r := mustOpen(t, h.config())
	h.host.Accept() // it was revoked
	if _, err := r.Resolve(t.Context(), main); err != nil {
		t.Error(err)
	}
	if got := h.tokens(); got != 2 {
		t.Errorf("got %d tokens, want 2", got)
	}
	other := servers.Git(t)
	other.Repository(t, "x.git")
	c := h.config()
	c.URL = other.URL + "/x.git"
	_, err := open(t, c)
	refused(t, err, git.Denied)
	if got := h.tokens(); got != 4 {
		t.Errorf("got %d tokens, want 2 more", got)
	}
}

func TestAnAppThatIsNotKnownIsExplained(t *testing.T) {
	h := newHub(t)
	c := h.config()
	c.GitHubApp.ID = "Iv1.other"
	_, err := open(t, c)
	refused(t, err, git.Denied, "could not be decoded", "check id and key of github_app", "main: github_app: POST ")
	c = h.config()
	c.GitHubApp.Installation = 8
	_, err = open(t, c)
	refused(t, err, git.Denied, "404 Not Found", "check installation")
}

func TestTheKeyOfAnAppIsReadFromItsFileEachTime(t *testing.T) {
	h := newHub(t)
	c := h.config()
	file := filepath.Join(t.TempDir(), "key.pem")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(h.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		t.Fatal(err)
	}
	c.GitHubApp.Key = "what it was when the configuration was read"
	c.GitHubApp.FromFile("key", file)
	mustOpen(t, c)
}

func FuzzAKeyThatIsNoneIsAnErrorWithoutIt(f *testing.F) {
	f.Add("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END RSA PRIVATE KEY-----\n")
	f.Add("hunter2hunter2")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := git.ParseKey(text)
		if (key == nil) == (err == nil) {
			t.Errorf("got %v, %v, want one of them", key != nil, err)
		}
		if err != nil && len(text) > 12 && !strings.Contains("-----BEGIN RSA PRIVATE KEY-----, which is an RSA key without a passphrase this is not the private key in PEM form", text) && strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want nothing of the key in it", err)
		}
	})
}
