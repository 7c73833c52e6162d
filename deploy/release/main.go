// Release makes what a version of Sluice is given away as, of a commit: an
// archive for each platform, with the program, completions and manual pages, a
// bill of materials for each, the chart, and the checksums of all.
//
//	go run ./deploy/release -o dist
//
// Who makes it again of the same commit, with the same version of Go, gets the
// same bytes: nothing in them depends on the time, the machine or the folder. The
// version is that of the tag at the commit, else one made of its time and name.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// platforms are those that there are archives for.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64"

func main() {
	out := flag.String("o", "dist", "write into `DIRECTORY`, which is made anew")
	list := flag.String("platforms", platforms, "make archives for these")
	flag.Parse()
	if err := release(*out, strings.Split(*list, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release makes all apart first: what is in the folder would be a change.
func release(out string, platforms []string) error {
	work, err := os.MkdirTemp("", "sluice-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	dist := filepath.Join(work, "dist")
	if err := os.Mkdir(dist, 0o755); err != nil {
		return err
	}
	c, err := commitOf(work)
	if err != nil {
		return err
	}
	for _, p := range platforms {
		if err := c.platform(dist, work, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if err := c.chart(dist); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return errors.Join(sums(dist), os.RemoveAll(out), os.CopyFS(out, os.DirFS(dist)))
}

// commit is what is released.
type commit struct {
	version string // as the program says it
	time    time.Time
	docs    []file // that the program writes: completions and manual pages
}

// commitOf builds the program for this machine, and asks it.
func commitOf(work string) (*commit, error) {
	program := filepath.Join(work, "sluice")
	if err := build(program, runtime.GOOS+"/"+runtime.GOARCH); err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	c := &commit{version: info.Main.Version}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.time":
			if c.time, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return nil, err
			}
		case s.Key == "vcs.modified" && s.Value == "true":
			return nil, errors.New("there are changes that are not committed; nobody could make the same again")
		}
	}
	if c.time.IsZero() {
		return nil, errors.New("this is no repository of git, or there is no git")
	}
	c.docs, err = c.write(program, filepath.Join(work, "man"))
	return c, err
}

// build builds the program for a platform.
func build(to, platform string) error {
	system, processor, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("%q is no platform; write one as linux/amd64", platform)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", to, "./cmd/sluice")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor,
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0")
	return run(cmd)
}

// write has the program write its completions, and manual pages into dir.
func (c *commit) write(program, dir string) (docs []file, err error) {
	for shell, name := range map[string]string{"bash": "sluice.bash", "fish": "sluice.fish", "zsh": "_sluice"} {
		text, err := exec.Command(program, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("completion %s: %w", shell, err)
		}
		docs = append(docs, file{"completions/" + name, text, 0o644})
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "man", dir)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", c.time.Unix()))
	if err := run(cmd); err != nil {
		return nil, err
	}
	pages, err := read(dir, "man/man1")
	return append(docs, pages...), err
}

// platform makes the archive for a platform, and its bill of materials.
func (c *commit) platform(out, work, platform string) error {
	name := "sluice-" + c.version + "-" + strings.ReplaceAll(platform, "/", "-")
	path := filepath.Join(work, name)
	if err := build(path, platform); err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	files := append([]file{{"sluice", program, 0o755}}, c.docs...)
	beside := []string{"LICENSE", "README.md", "CHANGELOG.md", "config.yaml"}
	if strings.HasPrefix(platform, "linux/") {
		beside = append(beside, "deploy/systemd/sluice.service")
	}
	for _, path := range beside {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.Base(path), text, 0o644})
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	bom, err := materials(info, program, c.time)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, name+".cdx.json"), bom, 0o644); err != nil {
		return err
	}
	return c.archive(filepath.Join(out, name+".tar.gz"), name, files)
}

// chart makes the archive of the chart, which helm takes, with this version.
func (c *commit) chart(out string) error {
	files, err := read("deploy/chart", "")
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(c.version, "v")
	for i, f := range files {
		if f.name == "Chart.yaml" {
			files[i].data = versioned(f.data, version)
		}
	}
	return c.archive(filepath.Join(out, "sluice-chart-"+version+".tgz"), "sluice", files)
}

// versioned gives the text of a Chart.yaml with another version.
func versioned(text []byte, version string) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if key, _, _ := strings.Cut(line, ":"); key == "version" || key == "appVersion" {
			lines[i] = fmt.Sprintf("%s: %q\n", key, version)
		}
	}
	return []byte(strings.Join(lines, ""))
}

// sums writes the checksums of all files of a folder into it, as sha256sum does.
func sums(dir string) error {
	files, err := read(dir, "")
	if err != nil {
		return err
	}
	slices.SortFunc(files, byName)
	var list bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), list.Bytes(), 0o644)
}

// run runs a command; what it prints is shown only if it fails.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
