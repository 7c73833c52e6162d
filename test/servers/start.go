package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Server is a running server of its own process.
type Server struct {
	URL string

	name  string
	start func() *exec.Cmd // makes the command that runs it
	cmd   *exec.Cmd
	log   string
	ready string // path that answers below 500 once it is ready
}

// StartOpenSearch fetches OpenSearch if need be, starts it with its data in
// dir, and returns when it is ready. Settings are "key=value".
func StartOpenSearch(ctx context.Context, dir string, settings ...string) (*Server, error) {
	home, err := fetchOpenSearch(ctx)
	if err != nil {
		return nil, err
	}
	java, err := javaHome(21)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"-Xms640m", "-Xmx640m", "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8", "-Djava.io.tmpdir=" + dir,
		"-Dlog4j2.configurationFile=" + filepath.Join(home, "log4j2.properties"),
		"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
		"-cp", home + ":" + filepath.Join(home, "lib", "*"), "Node",
		strconv.Itoa(ports[0]), strconv.Itoa(ports[1]), filepath.Join(dir, "data"),
	}, settings...)
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), name: "opensearch", log: filepath.Join(dir, "server.log"),
		ready: "/_cluster/health?wait_for_status=yellow&timeout=2s"}
	s.start = func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(java, "bin", "java"), args...)
		cmd.Dir = dir
		return cmd
	}
	return s, s.Start(ctx)
}

// StartS3 builds VersityGW if need be and starts it with its data in dir. Its
// keys and region are those of [S3].
func StartS3(ctx context.Context, dir string) (*Server, error) {
	program, err := fetchVersityGW(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	for _, sub := range []string{"iam", "versions", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	s := &Server{URL: "http://" + addr, name: "versitygw", log: filepath.Join(dir, "server.log"), ready: "/"}
	s.start = func() *exec.Cmd {
		cmd := exec.Command(program, "--port", addr, "-q", "--keep-alive", "--iam-dir", filepath.Join(dir, "iam"),
			"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=test", "ROOT_SECRET_KEY=testsecret")
		return cmd
	}
	return s, s.Start(ctx)
}

// Start starts the server again after Stop or Kill, at the same address and
// with the same data, and returns when it is ready.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = s.start()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // it never outlives its starter
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	if err := s.wait(ctx); err != nil {
		s.Kill()
		tail, _ := os.ReadFile(s.log)
		return fmt.Errorf("%s is not ready: %w\n%s", s.name, err, tail[max(0, len(tail)-3000):])
	}
	return nil
}

// wait asks until the server answers.
func (s *Server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for {
		resp, err := client.Get(s.URL + s.ready)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Stop ends the server in good order, and by force after 30 s.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	force := time.AfterFunc(30*time.Second, func() { s.cmd.Process.Kill() })
	defer force.Stop()
	s.cmd.Wait()
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// freePorts returns ports of 127.0.0.1 that nobody listens at.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
