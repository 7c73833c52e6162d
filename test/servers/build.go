package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// fetchProduct builds a store and returns its program.
func fetchProduct(ctx context.Context, p Product) (string, error) {
	switch p.Name {
	case "garage":
		return fetchGarage(ctx, p)
	case "minio":
		return fetchGo(ctx, goProgram{p.folder(), p.Name, "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", ""})
	}
	return fetchGo(ctx, goProgram{p.folder(), p.Name, "github.com/versity/versitygw", "v" + p.Version, "/cmd/versitygw"})
}

// S5cmd builds the program that copies objects which benchmarks compare with,
// if need be, and returns where it is.
func S5cmd(ctx context.Context) (string, error) {
	return fetchGo(ctx, goProgram{"s5cmd-2.3.0", "s5cmd", "github.com/peak/s5cmd/v2", "v2.3.0", ""})
}

// goProgram is a program of a Go module.
type goProgram struct {
	folder, name    string
	module, version string // exactly: proxies need not list versions
	path            string // of the package, in the module
}

// fetchGo builds a program with the Go tool, in a module of its own, and
// returns it.
func fetchGo(ctx context.Context, g goProgram) (string, error) {
	dir, err := fetch(g.folder, func(dir string) error {
		src, err := os.MkdirTemp("", "sluice-build-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(src)
		mod := fmt.Sprintf("module build\n\ngo 1.24\n\nrequire %s %s\n", g.module, g.version)
		if err := os.WriteFile(filepath.Join(src, "go.mod"), []byte(mod), 0o644); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", filepath.Join(dir, g.name), g.module+g.path)
		cmd.Dir, cmd.Env = src, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
		return quietly(cmd)
	})
	return filepath.Join(dir, g.name), err
}

// fetchGarage builds Garage with Rust's cargo, which takes some minutes, and
// returns its program.
func fetchGarage(ctx context.Context, p Product) (string, error) {
	dir, err := fetch(p.folder(), func(dir string) error {
		cmd := exec.CommandContext(ctx, "cargo", "install", "garage", "--version", "="+p.Version, "--locked",
			"--no-default-features", "--features", "bundled-libs,sqlite", "--root", dir)
		cmd.Env = append(os.Environ(), "CARGO_PROFILE_RELEASE_OPT_LEVEL=1") // it builds faster, and is fast enough
		return quietly(cmd)
	})
	return filepath.Join(dir, "bin", p.Name), err
}
