package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// StartS3 starts the first of [Products] as [StartStore] does.
func StartS3(ctx context.Context, dir string) (*Server, error) {
	return StartStore(ctx, Products()[0], dir)
}

// StartStore builds a store if need be and starts it with its data in dir. Its
// keys and region are those of [StoreAt].
func StartStore(ctx context.Context, p Product, dir string) (*Server, error) {
	program, err := fetchProduct(ctx, p)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	n := storeNode{Product: p, program: program, dir: dir, addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), other: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	if err := n.configure(); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + n.addr, name: p.Name, log: filepath.Join(dir, "server.log"), ready: "/", start: n.command}
	return s, s.Start(ctx)
}

// storeNode is what a store is started with.
type storeNode struct {
	Product
	program, dir string
	addr, other  string // where it listens for clients, and for itself
}

// configure makes directories and files that the store wants to be there.
func (n storeNode) configure() error {
	var errs []error
	for _, sub := range []string{"iam", "versions", "data", "meta"} {
		errs = append(errs, os.MkdirAll(filepath.Join(n.dir, sub), 0o755))
	}
	if n.Name == "garage" {
		errs = append(errs, os.WriteFile(filepath.Join(n.dir, "garage.toml"), n.toml(), 0o600))
	}
	return errors.Join(errs...)
}

// toml is the configuration of Garage, of one node. What it has taken may be
// lost with the machine: tests kill only processes.
func (n storeNode) toml() []byte {
	return fmt.Appendf(nil, `metadata_dir = %q
data_dir = %q
db_engine = "sqlite"
metadata_fsync = false
data_fsync = false
replication_factor = 1
rpc_bind_addr = %q
rpc_public_addr = %q
rpc_secret = %q
[s3_api]
s3_region = "us-east-1"
api_bind_addr = %q
root_domain = ".s3.localhost"
`, filepath.Join(n.dir, "meta"), filepath.Join(n.dir, "data"), n.other, n.other, strings.Repeat("5e", 32), n.addr)
}

// command is the command that runs the store.
func (n storeNode) command() *exec.Cmd {
	var cmd *exec.Cmd
	var env []string
	switch n.Name {
	case "garage":
		cmd = exec.Command(n.program, "-c", filepath.Join(n.dir, "garage.toml"), "server", "--single-node", "--default-access-key")
		env = []string{"GARAGE_DEFAULT_ACCESS_KEY=" + n.accessKey, "GARAGE_DEFAULT_SECRET_KEY=" + n.secretKey, "RUST_LOG=garage=warn"}
	case "minio":
		cmd = exec.Command(n.program, "server", "--address", n.addr, "--console-address", n.other, "--config-dir", filepath.Join(n.dir, "iam"), filepath.Join(n.dir, "data"))
		env = []string{"MINIO_ROOT_USER=" + n.accessKey, "MINIO_ROOT_PASSWORD=" + n.secretKey, "MINIO_SITE_REGION=us-east-1", "MINIO_UPDATE=off", "MINIO_BROWSER=off"}
	default:
		cmd = exec.Command(n.program, "--port", n.addr, "-q", "--keep-alive", "--iam-dir", filepath.Join(n.dir, "iam"),
			"posix", "--versioning-dir", filepath.Join(n.dir, "versions"), filepath.Join(n.dir, "data"))
		env = []string{"ROOT_ACCESS_KEY=" + n.accessKey, "ROOT_SECRET_KEY=" + n.secretKey}
	}
	cmd.Env = append(os.Environ(), env...)
	return cmd
}
