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
	ended chan struct{} // closed when cmd has ended
	log   string
	ready string // path that answers below 500 once it is ready; "": it takes connections then
}

// StartOpenSearch starts the newest OpenSearch as [StartEngine] does.
func StartOpenSearch(ctx context.Context, dir string, settings ...string) (*Server, error) {
	return StartEngine(ctx, Engines()[0], dir, settings...)
}

// StartEngine fetches a search engine if need be, starts it with its data in
// dir, and returns when it is ready. Settings are "key=value".
func StartEngine(ctx context.Context, e Engine, dir string, settings ...string) (*Server, error) {
	nodes, err := prepare(ctx, e, 1)
	if err != nil {
		return nil, err
	}
	n := nodes[0]
	// Garbage is no use of memory: by default the engine refuses requests because of it.
	n.dir, n.jvm, n.settings = dir, alone(), append([]string{"indices.breaker.total.use_real_memory=false"}, settings...)
	if n.runner == "" {
		n.settings = append([]string{"discovery.type=single-node"}, n.settings...)
	}
	s, err := n.server("/_cluster/health?wait_for_status=yellow&timeout=2s")
	if err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// StartCluster is StartEngine for a cluster of n nodes: processes of their own,
// with a small heap, each of which may be killed and started again. It returns
// when all are there and every copy of every shard is; starting one again
// returns when that is so again, and not before the others are there.
func StartCluster(ctx context.Context, e Engine, dir string, n int, settings ...string) (_ []*Server, err error) {
	nodes, err := prepare(ctx, e, n)
	if err != nil {
		return nil, err
	}
	join(nodes)
	var servers []*Server
	defer func() {
		if err != nil {
			for _, s := range servers {
				s.Kill()
			}
		}
	}()
	for i, n := range nodes {
		n.dir, n.jvm, n.settings = filepath.Join(dir, strconv.Itoa(i)), shared(), append(n.settings, settings...)
		if err := os.MkdirAll(n.dir, 0o755); err != nil {
			return nil, err
		}
		s, err := n.server(fmt.Sprintf("/_cluster/health?wait_for_nodes=%d&wait_for_status=green&timeout=2s", len(nodes)))
		if err != nil {
			return nil, err
		}
		if err := s.launch(); err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	for _, s := range servers {
		if err := s.await(ctx); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// Start starts the server again after Stop or Kill, at the same address and
// with the same data, and returns when it is ready.
func (s *Server) Start(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	return s.await(ctx)
}

// launch starts the process.
func (s *Server) launch() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = s.start()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if s.cmd.SysProcAttr == nil {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	s.cmd.SysProcAttr.Setpgid, s.cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL // it never outlives its starter
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan<- struct{}) {
		defer close(ended)
		cmd.Wait()
	}(s.cmd, s.ended)
	return nil
}

// await returns when the server is ready, and ends it if it does not become so.
func (s *Server) await(ctx context.Context) error {
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
		ready, err := s.answers(client)
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-s.ended:
			return errors.New(s.cmd.ProcessState.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// answers asks once.
func (s *Server) answers(client *http.Client) (bool, error) {
	if s.ready == "" {
		c, err := net.Dial("tcp", s.URL)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	}
	resp, err := client.Get(s.URL + s.ready)
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	return resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout, nil
}

// Stop ends the server in good order, and by force after 30 s. No server, nil,
// needs no end.
func (s *Server) Stop() {
	if s == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	force := time.AfterFunc(30*time.Second, s.kill)
	defer force.Stop()
	<-s.ended
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	s.kill()
	<-s.ended
}

// kill ends all processes of the server: some start another.
func (s *Server) kill() { syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) }

// FreePorts returns ports of 127.0.0.1 that nobody listens at.
func FreePorts(n int) (ports []int, err error) {
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
