package objects_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/objects"
)

// Keys in mounted files were rotated since they were read; the old ones are
// refused at once.
func TestRotatedKeysAreUsedAfterARefusal(t *testing.T) {
	refused := 0
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=new/") {
			refused++
			w.WriteHeader(http.StatusForbidden)
		}
	})
	dir := t.TempDir()
	for _, name := range []string{"access_key", "secret_key"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.FromFile(name, path)
	}
	c, err := cfg.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Delete(t.Context(), "k"); err == nil || refused != 1 {
		t.Errorf("got %v after %d refusals, want one: there are no other keys", err, refused)
	}
	for _, name := range []string{"access_key", "secret_key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("new"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Put(t.Context(), objects.New{Key: "k"}, []byte("x")); err != nil || refused != 2 {
		t.Errorf("got %v after %d refusals, want it put with the new keys", err, refused)
	}
	if _, err := c.Head(t.Context(), "k"); err != nil || refused != 2 {
		t.Errorf("got %v after %d refusals, want the new keys kept", err, refused)
	}
}
