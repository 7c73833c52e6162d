package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The queues that tests run: ElasticMQ, which keeps them in its memory.
const (
	elasticMQ        = "org.elasticmq:elasticmq-server_2.13"
	elasticMQVersion = "1.6.12"
)

// SQS returns the URL of a server of queues that speaks SQS and looks at no
// signatures; the account is 000000000000. It is that of SLUICE_TEST_SQS. Where
// servers are required, one is started for this test if there is none.
func SQS(t testing.TB) string {
	t.Helper()
	if os.Getenv("SLUICE_TEST_SQS") != "" || os.Getenv("SLUICE_REQUIRE_SERVERS") == "" {
		return need(t, "SLUICE_TEST_SQS")
	}
	s, err := StartSQS(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s.URL
}

// StartSQS fetches the server of queues if need be and starts it with its log
// in dir.
func StartSQS(ctx context.Context, dir string) (*Server, error) {
	home, err := fetch("elasticmq-"+elasticMQVersion, func(dir string) error {
		if err := copyEngineFiles(dir); err != nil {
			return err
		}
		return download(ctx, dir, elasticMQ, elasticMQVersion, "jar")
	})
	if err != nil {
		return nil, err
	}
	java, err := javaHome(17, 25)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), name: "elasticmq", log: filepath.Join(dir, "server.log"), ready: "/health"}
	s.start = func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(java, "bin", "java"), "-Xmx256m", "-XX:TieredStopAtLevel=1",
			"-Drest-sqs.bind-hostname=127.0.0.1", fmt.Sprintf("-Drest-sqs.bind-port=%d", ports[0]),
			"-Dnode-address.host=127.0.0.1", fmt.Sprintf("-Dnode-address.port=%d", ports[0]), // in the URLs of queues
			"-Drest-stats.enabled=false", "-cp", filepath.Join(home, "lib", "*"), "org.elasticmq.server.Main")
		cmd.Dir = dir
		return cmd
	}
	return s, s.Start(ctx)
}
