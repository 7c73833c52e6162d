package servers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// apt runs apt-get in dir for a command that downloads packages. If that fails,
// the lists of packages may be old, or may never have been fetched: it is tried
// again with lists of its own, which are gone afterwards.
func apt(ctx context.Context, dir string, args ...string) error {
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return quietly(cmd)
	}
	first := run(args...)
	if first == nil {
		return nil
	}
	lists := filepath.Join(dir, "lists")
	defer os.RemoveAll(lists)
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return err
	}
	own := []string{"-o", "Dir::State::lists=" + lists, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"}
	err := run(append(own, "update")...)
	if err == nil {
		err = run(append(own, args...)...)
	}
	if err != nil {
		return errors.Join(first, err)
	}
	return nil
}

// unpack unpacks the packages that lie in a directory into dir, and removes them.
func unpack(ctx context.Context, packages, dir string) error {
	archives, err := filepath.Glob(filepath.Join(packages, "*.deb"))
	for _, a := range archives {
		err = errors.Join(err, quietly(exec.CommandContext(ctx, "dpkg-deb", "-x", a, dir)), os.Remove(a))
	}
	return err
}
