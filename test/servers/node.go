package servers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// heap is the memory of a search engine's JVM.
const heap = "640m"

// node is what one node of a search engine is started with.
type node struct {
	Engine
	home, java, dir string
	http, transport int
	settings        []string
}

// embedded is the command of an engine that the class Node starts.
func (n node) embedded() *exec.Cmd {
	args := []string{"-Xms" + heap, "-Xmx" + heap, "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8", "-Djava.io.tmpdir=" + n.dir,
		"-Dlog4j2.configurationFile=" + filepath.Join(n.home, "log4j2.properties")}
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
	jvm := "-Xms" + heap + "\n-Xmx" + heap + "\n-XX:+ExitOnOutOfMemoryError\n-Djava.io.tmpdir=" + n.temporary() + "\n"
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
		"network.host=127.0.0.1", "http.port=" + strconv.Itoa(n.http), "transport.port=" + strconv.Itoa(n.transport), "discovery.type=single-node",
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
