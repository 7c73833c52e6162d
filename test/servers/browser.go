package servers

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Browser is a headless Chromium.
type Browser struct {
	Program string
	Env     []string // what it needs in its environment: where its libraries are
}

// Chromium returns the Chromium of this machine, or fetches the one of Debian
// with the libraries that are missing here. It is the newest: archives keep no
// other, and who reads the page has that one.
func Chromium(t testing.TB) Browser {
	t.Helper()
	b, err := chromium(t.Context())
	return had(t, b, err)
}

const shell = "chromium-headless-shell"

func chromium(ctx context.Context) (Browser, error) {
	for _, name := range []string{shell, "chromium"} {
		if program, err := exec.LookPath(name); err == nil {
			return Browser{Program: program}, nil
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil || runtime.GOOS != "linux" {
		return Browser{}, errors.New("no " + shell + ", and no apt-get to fetch it with")
	}
	dir, err := fetch(shell, func(dir string) error { return fetchDebian(ctx, dir, shell) })
	if err != nil {
		return Browser{}, err
	}
	libraries, err := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-*"))
	if err != nil || len(libraries) != 1 {
		return Browser{}, errors.Join(fmt.Errorf("%s: got libraries in %q", dir, libraries), err)
	}
	path := libraries[0] + ":" + filepath.Join(libraries[0], "pulseaudio")
	return Browser{filepath.Join(dir, "usr/lib/chromium", shell), []string{"LD_LIBRARY_PATH=" + path}}, nil
}

// fetchDebian unpacks a package of Debian into dir, and all that it depends on
// and that is not installed. Nothing is installed.
func fetchDebian(ctx context.Context, dir, name string) error {
	archives := filepath.Join(dir, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return err
	}
	if err := apt(ctx, dir, "install", "--yes", "--download-only", "--no-install-recommends",
		"-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-o", "Dir::Cache::archives="+archives, name); err != nil {
		return err
	}
	return errors.Join(unpack(ctx, archives, dir), os.RemoveAll(archives))
}

// axe is the checker of accessibility, as npm packs it.
const (
	axeVersion  = "4.14.1"
	axeChecksum = "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5" // SHA-512
)

// Axe returns the script of axe-core, which checks pages for accessibility.
func Axe(t testing.TB) string {
	t.Helper()
	name := "axe-core-" + axeVersion
	dir, err := fetch(name, func(dir string) error {
		pack := exec.CommandContext(t.Context(), "npm", "pack", "axe-core@"+axeVersion, "--ignore-scripts")
		pack.Dir = dir
		if err := quietly(pack); err != nil {
			return err
		}
		return unpackAxe(filepath.Join(dir, name+".tgz"), filepath.Join(dir, "axe.js"))
	})
	dir = had(t, dir, err)
	script, err := os.ReadFile(filepath.Join(dir, "axe.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// unpackAxe takes the script out of the package, if that is the right one.
func unpackAxe(archive, script string) error {
	text, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(text); hex.EncodeToString(sum[:]) != axeChecksum {
		return fmt.Errorf("%s has SHA-512 %x, want %s", filepath.Base(archive), sum, axeChecksum)
	}
	plain, err := gzip.NewReader(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	files := tar.NewReader(plain)
	for {
		h, err := files.Next()
		if err != nil {
			return fmt.Errorf("axe.min.js: %w", err)
		}
		if h.Name == "package/axe.min.js" {
			content, err := io.ReadAll(files)
			return errors.Join(err, os.WriteFile(script, content, 0o644))
		}
	}
}
