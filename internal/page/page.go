// Package page is the status page: what pipelines do, for people. It is plain
// files that are part of the program, and asks the API.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assets embed.FS

// policy is the Content-Security-Policy: nothing but the page's own files and
// the API, and texts never become markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one of the page's files.
type file struct {
	kind, tag string
	text      []byte
}

// Handler serves the page at / and what belongs to it below /assets/. Nothing
// of it is kept by a browser without asking whether it is the same: the program
// may be another one tomorrow.
func Handler() http.Handler {
	files := map[string]file{}
	entries, err := assets.ReadDir("assets")
	if err != nil {
		panic(err) // it is part of the program
	}
	for _, e := range entries {
		files["/assets/"+e.Name()] = read(e)
	}
	files["/"] = files["/assets/index.html"]
	delete(files, "/assets/index.html")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", f.kind)
		h.Set("ETag", f.tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.text))
	})
}

func read(e fs.DirEntry) file {
	text, err := assets.ReadFile("assets/" + e.Name())
	if err != nil {
		panic(err) // it is part of the program
	}
	sum := sha256.Sum256(text)
	return file{kind(e.Name()), `"` + hex.EncodeToString(sum[:8]) + `"`, text}
}

// kind is the content type of a file; what the machine knows of them is not
// asked.
func kind(name string) string {
	return map[string]string{
		".css":  "text/css; charset=utf-8",
		".html": "text/html; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}[path.Ext(name)]
}
