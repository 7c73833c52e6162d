package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The Prometheus of Debian 12, and the sums of its packages.
const (
	prometheusPackage = "prometheus"
	prometheusVersion = "2.42.0+ds-5+deb12u1"
)

var prometheusSums = map[string]string{"amd64": "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55"}

// Prometheus fetches Prometheus if need be, and returns where it and promtool
// are. The test is skipped where it cannot be had.
func Prometheus(t testing.TB) (prometheus, promtool string) {
	t.Helper()
	dir, err := fetchPrometheus(context.Background()) // it is for all tests, whichever asks first
	dir = had(t, dir, err)
	return filepath.Join(dir, "usr/bin/prometheus"), filepath.Join(dir, "usr/bin/promtool")
}

func fetchPrometheus(ctx context.Context) (string, error) {
	want, ok := prometheusSums[runtime.GOARCH]
	if _, err := exec.LookPath("apt-get"); err != nil || !ok || runtime.GOOS != "linux" {
		return "", errors.New("prometheus is fetched with apt-get, for Linux on amd64")
	}
	return fetch(prometheusPackage+"-"+strings.NewReplacer("+", "-", ":", "-").Replace(prometheusVersion), func(dir string) error {
		if err := apt(ctx, dir, "download", prometheusPackage+"="+prometheusVersion); err != nil {
			return err
		}
		archives, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("got %v, %w, want one package", archives, err)
		}
		text, err := os.ReadFile(archives[0])
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			return fmt.Errorf("%s: its sum is %x, want %s", archives[0], sum, want)
		}
		return unpack(ctx, dir, dir)
	})
}

// StartPrometheus starts Prometheus with a configuration, and its data in dir.
func StartPrometheus(ctx context.Context, program, config, dir string) (*Server, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	s := &Server{URL: "http://" + addr, name: "prometheus", log: filepath.Join(dir, "server.log"), ready: "/-/ready"}
	s.start = func() *exec.Cmd {
		return exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	}
	return s, s.Start(ctx)
}
