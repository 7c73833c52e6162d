package page_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/page"
)

func ask(method, path, tag string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("If-None-Match", tag)
	w := httptest.NewRecorder()
	page.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestEachFileIsServedUnderAStrictPolicy(t *testing.T) {
	entries, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/"}
	for _, e := range entries {
		if e.Name() != "index.html" {
			paths = append(paths, "/assets/"+e.Name())
		}
	}
	for _, path := range paths {
		resp := ask("GET", path, "")
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") == "" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %s with %v", path, resp.Status, resp.Header)
		}
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
			t.Errorf("%s: got the policy %q", path, policy)
		}
		if again := ask("GET", path, resp.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: got %s for what has not changed", path, again.Status)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/index.html", "/assets/", "/assets/index.html", "/assets/../page.go", "/page.go"} {
		if resp := ask("GET", path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %s", path, resp.Status)
		}
	}
	if resp := ask("POST", "/", ""); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("got %s for a POST", resp.Status)
	}
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	entries, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	foreign := regexp.MustCompile(`https?://|//[a-z]|@import|url\(|<style|\sstyle=|\son[a-z]+=|innerHTML|insertAdjacentHTML|\beval\(`)
	for _, e := range entries {
		text, err := os.ReadFile("assets/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(text), `xmlns="http://www.w3.org/2000/svg"`, "")
		for _, found := range foreign.FindAllString(plain, -1) {
			t.Errorf("%s: got %q", e.Name(), found)
		}
	}
}
