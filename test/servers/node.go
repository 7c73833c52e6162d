package servers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// alone and shared are options of a search engine's JVM: of a node that is
// alone, and of one of several, where quick starts and little memory matter.
func alone() []string { return []string{"-Xms1g", "-Xmx1g", "-XX:+ExitOnOutOfMemoryError"} }
func shared() []string {
	return []string{"-Xms300m", "-Xmx300m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
}

// node is what one node of a search engine is started with.
type node struct {
	Engine
	home, java, dir string
	jvm             []string // options
	http, transport int
	settings        []string // "key=value"
}

// prepare fetches a search engine if need be, and makes n nodes of it that
// would not find each other.
func prepare(ctx context.Context, e Engine, n int) ([]node, error) {
	home, err := fetchEngine(ctx, e)
	if err != nil {
		return nil, err
	}
	java, err := javaHome(e.oldest, e.newest)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(2 * n)
	if err != nil {
		return nil, err
	}
	nodes := make([]node, n)
	for i := range nodes {
		nodes[i] = node{Engine: e, home: home, java: java, http: ports[2*i], transport: ports[2*i+1]}
	}
	return nodes, nil
}

// join gives nodes the settings with which they become one cluster.
func join(nodes []node) {
	var names, hosts []string
	for i, n := range nodes {
		names = append(names, "node-"+strconv.Itoa(i))
		hosts = append(hosts, "127.0.0.1:"+strconv.Itoa(n.transport))
	}
	for i := range nodes {
		n := &nodes[i]
		n.settings = append(n.settings, "cluster.name=sluice-"+strconv.Itoa(nodes[0].http), "node.name="+names[i],
			"discovery.seed_hosts="+strings.Join(hosts, ","), n.managers()+"="+strings.Join(names, ","))
		if n.runner != "" {
			n.settings = append(n.settings, "discovery.type=zen") // the class Node would have it alone
		}
	}
}

// server makes a server of the node, which answers at the path below 500 once
// it is ready.
func (n node) server(ready string) (*Server, error) {
	s := &Server{URL: "http://127.0.0.1:" + strconv.Itoa(n.http), name: n.Name, log: filepath.Join(n.dir, "server.log"), ready: ready, start: n.embedded}
	if n.runner != "" {
		return s, nil
	}
	s.start = n.program
	return s, n.configure()
}

// embedded is the command of an engine that the class Node starts.
func (n node) embedded() *exec.Cmd {
	args := append(slices.Clone(n.jvm), "-Dfile.encoding=UTF-8", "-Djava.io.tmpdir="+n.dir,
		"-Dlog4j2.configurationFile="+filepath.Join(n.home, "log4j2.properties"))
	if n.oldest >= 21 {
		args = append(args, "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector")
	}
	args = append(args, "-cp", n.home+":"+filepath.Join(n.home, "lib", "*"), "Node",
		strconv.Itoa(n.http), strconv.Itoa(n.transport), filepath.Join(n.dir, "data"))
	cmd := exec.Command(filepath.Join(n.java, "bin", "java"), append(args, n.settings...)...)
	cmd.Dir = n.dir
	return cmd
}

// configure writes the configuration of an engine with a program of its own.
func (n node) configure() error {
	config := filepath.Join(n.dir, "config")
	if err := errors.Join(os.MkdirAll(config, 0o755), os.MkdirAll(n.temporary(), 0o755)); err != nil {
		return err
	}
	log, err := os.ReadFile(filepath.Join(n.home, "log4j2.properties"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(config, "log4j2.properties"), log, 0o644); err != nil {
		return err
	}
	jvm := strings.Join(n.jvm, "\n") + "\n-Djava.io.tmpdir=" + n.temporary() + "\n"
	if err := os.WriteFile(filepath.Join(config, "jvm.options"), []byte(jvm), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(config, "elasticsearch.yml"), nil, 0o644)
}

// temporary is where an engine with a program of its own may write what it
// likes; 9 wants nothing of importance below it.
func (n node) temporary() string { return filepath.Join(n.dir, "tmp") }

// program is the command of an engine with a program of its own.
func (n node) program() *exec.Cmd {
	settings := append([]string{
		"network.host=127.0.0.1", "http.port=" + strconv.Itoa(n.http), "transport.port=" + strconv.Itoa(n.transport),
		"path.data=" + filepath.Join(n.dir, "data"), "path.logs=" + filepath.Join(n.dir, "logs"),
		"cluster.routing.allocation.disk.threshold_enabled=false", "xpack.security.enabled=false",
	}, n.settings...)
	cmd := exec.Command(filepath.Join(n.home, "unpacked", "bin", "elasticsearch"))
	for _, s := range settings {
		cmd.Args = append(cmd.Args, "-E", s)
	}
	cmd.Dir = n.dir
	cmd.Env = append(os.Environ(), "ES_JAVA_HOME="+n.java, "ES_PATH_CONF="+filepath.Join(n.dir, "config"), "ES_TMPDIR="+n.temporary())
	if os.Geteuid() == 0 { // Elasticsearch refuses to run as root, so root looks like a user to it
		looks := []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: looks, GidMappings: looks}
	}
	return cmd
}
