package servers

import (
	"archive/zip"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

//go:embed engine
var engineFiles embed.FS

// Home is where servers are kept once they were fetched: SLUICE_SERVERS, or
// sluice-servers in the user's cache directory.
func Home() (string, error) {
	if dir := os.Getenv("SLUICE_SERVERS"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for servers: set SLUICE_SERVERS: %w", err)
	}
	return filepath.Join(dir, "sluice-servers"), nil
}

// fetch makes dir in Home by calling get with a temporary directory, unless it
// is there already. Several processes may call it at the same time.
func fetch(name string, get func(dir string) error) (string, error) {
	home, err := Home()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(home, name+".lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	dir := filepath.Join(home, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fmt.Fprintf(os.Stderr, "servers: fetching %s\n", name)
	tmp := dir + ".part"
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return "", err
	}
	if err := get(tmp); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	return dir, os.Rename(tmp, dir)
}

// fetchEngine gets a search engine through Maven and returns where it is: its
// libraries and a class Node that starts it, or the folder "unpacked".
func fetchEngine(ctx context.Context, e Engine) (string, error) {
	return fetch(e.folder(), func(dir string) error {
		if err := copyEngineFiles(dir); err != nil {
			return err
		}
		if e.runner == "" {
			return e.unpack(ctx, dir)
		}
		return e.compile(ctx, dir)
	})
}

// copyEngineFiles puts what belongs to engine, pom.xml for one, into dir.
func copyEngineFiles(dir string) error {
	files, err := fs.Sub(engineFiles, "engine")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}

// download gets an artifact of Maven Central, of a type and in a version, and
// what it depends on, into dir/lib. In dir is the pom.xml of engine.
func download(ctx context.Context, dir, name, version, kind string) error {
	group, artifact, _ := strings.Cut(name, ":")
	return quietly(exec.CommandContext(ctx, "mvn", "-B", "-q", "-Dstyle.color=never", "-f", filepath.Join(dir, "pom.xml"),
		"-Dengine.group="+group, "-Dengine.artifact="+artifact, "-Dengine.version="+version, "-Dengine.type="+kind,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib")))
}

// compile makes the class Node of an engine that is embedded.
func (e Engine) compile(ctx context.Context, dir string) error {
	if err := download(ctx, dir, e.artifact, e.release, "jar"); err != nil {
		return err
	}
	java, err := javaHome(e.oldest, e.newest)
	if err != nil {
		return err
	}
	node := filepath.Join(dir, "Node.java")
	text, err := os.ReadFile(node)
	if err != nil {
		return err
	}
	if err := os.WriteFile(node, bytes.ReplaceAll(text, []byte("RUNNER"), []byte(e.runner)), 0o644); err != nil {
		return err
	}
	return quietly(exec.CommandContext(ctx, filepath.Join(java, "bin", "javac"), "-nowarn", "-proc:none",
		"-cp", filepath.Join(dir, "lib", "*"), "-d", dir, node))
}

// unpack unpacks the archive of an engine.
func (e Engine) unpack(ctx context.Context, dir string) error {
	if err := download(ctx, dir, e.artifact, e.release, "zip"); err != nil {
		return err
	}
	archive, err := zip.OpenReader(filepath.Join(dir, "lib", e.folder()+".zip"))
	if err != nil {
		return err
	}
	defer archive.Close()
	files, err := fs.Sub(archive, e.folder())
	if err != nil {
		return err
	}
	return errors.Join(os.CopyFS(filepath.Join(dir, "unpacked"), files), os.RemoveAll(filepath.Join(dir, "lib")))
}

// quietly runs cmd and shows what it printed only if it fails.
func quietly(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out.Bytes())
	}
	return nil
}

var javaVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// javaHome returns the home of a JDK of a version from oldest to newest.
func javaHome(oldest, newest int) (string, error) {
	homes, err := filepath.Glob("/usr/lib/jvm/*")
	if err != nil {
		return "", err
	}
	for _, home := range append([]string{os.Getenv("JAVA_HOME")}, homes...) {
		b, err := os.ReadFile(filepath.Join(home, "release"))
		if err != nil {
			continue
		}
		m := javaVersion.FindSubmatch(b)
		if m == nil {
			continue
		}
		if v, err := strconv.Atoi(string(m[1])); err == nil && oldest <= v && v <= newest {
			return home, nil
		}
	}
	return "", fmt.Errorf("no JDK of a version from %d to %d in JAVA_HOME and /usr/lib/jvm", oldest, newest)
}
