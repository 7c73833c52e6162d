//go:build linux

// Package powerloss shows what may be on a disk after the power failed. It
// records what a process does to the files of a directory, and then makes
// directories as they might be found after each step: what was not synced is
// there, or not, or in part.
//
// It knows write, pwrite64, ftruncate, openat, renameat, unlinkat, mkdirat,
// fsync and fdatasync; a process that changes files in another way is an error.
package powerloss

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kind is what an event does.
type kind int

const (
	write    kind = iota // data at off of a file
	truncate             // a file to off bytes
	sync                 // what is in a file, or the names in a directory
	name                 // path is id from now on; 0: nothing has the name
	said                 // data on standard output
)

// event is one thing that the process did.
type event struct {
	kind kind
	id   uint64 // of the file or directory: inode numbers are used again
	dir  bool   // a name of a directory
	path string // below the directory
	old  string // of a rename
	off  int64
	data []byte
	upto int // of a sync: events that had happened when it began
}

// Record runs a command, which has not been started, to its end, and records
// what it does below dir, which exists.
func Record(cmd *exec.Cmd, dir string) (*Log, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	tr := &tracer{dir: dir, calls: map[int]call{}, ids: map[uint64]uint64{}}
	if tr.first, err = tr.scan(); err != nil {
		return nil, err
	}
	tr.names = maps.Clone(tr.first.names)
	end := make(chan error)
	go func() {
		runtime.LockOSThread() // a process is traced by a thread; this one ends with the goroutine
		end <- tr.run(cmd)
	}()
	return &tr.Log, <-end
}

// scan takes what is in the directory, which is durable.
func (tr *tracer) scan() (*image, error) {
	im := &image{names: map[string]uint64{}, dirs: map[uint64]bool{}, files: map[uint64][]byte{}}
	return im, filepath.WalkDir(tr.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		id := tr.made(path)
		im.names[tr.below(path)] = id
		if im.dirs[id] = d.IsDir(); !d.IsDir() {
			im.files[id], err = os.ReadFile(path)
		}
		return err
	})
}

// call is a system call under way.
type call struct {
	nr   uint64
	args [6]uint64
	at   int // events before it
}

type tracer struct {
	Log
	dir   string
	names map[string]uint64 // as they are now
	ids   map[uint64]uint64 // by inode number
	last  uint64            // id
	calls map[int]call      // by thread
}

func (tr *tracer) run(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait() // the process has been waited for; this ends what the command began
	defer cmd.Process.Kill()
	pid := cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return err
	}
	for tid, signal := pid, 0; ; {
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		var err error
		if tid, err = unix.Wait4(-pid, &ws, unix.WALL, nil); err != nil {
			return err
		}
		for ; ws.Exited() || ws.Signaled(); tid, err = unix.Wait4(-pid, &ws, unix.WALL, nil) {
			if tid == pid {
				return ended(ws)
			}
		}
		if err != nil {
			return err
		}
		if signal, err = tr.stopped(tid, ws); err != nil {
			return err
		}
	}
}

func ended(ws unix.WaitStatus) error {
	if ws.Signaled() || ws.ExitStatus() != 0 {
		return fmt.Errorf("the process ended with %v %d", ws.Signal(), ws.ExitStatus())
	}
	return nil
}

// stopped takes note of what a thread does, and returns the signal that it is
// to get when it goes on.
func (tr *tracer) stopped(tid int, ws unix.WaitStatus) (signal int, err error) {
	switch s := ws.StopSignal(); s {
	case unix.SIGTRAP | 0x80:
		return 0, tr.syscall(tid)
	case unix.SIGTRAP, unix.SIGSTOP: // a thread begins
		return 0, nil
	default:
		return int(s), nil
	}
}

// syscallInfo is struct ptrace_syscall_info of the kernel.
type syscallInfo struct {
	op    uint8 // 1: entry, 2: exit
	_     [3]uint8
	_     uint32
	_, _  uint64
	value uint64 // entry: number; exit: result
	args  [6]uint64
	_     uint64
}

func (tr *tracer) syscall(tid int) error {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return errno
	}
	if info.op == 1 {
		tr.calls[tid] = call{info.value, info.args, len(tr.events)}
		return nil
	}
	c, ok := tr.calls[tid]
	delete(tr.calls, tid)
	if !ok || info.op != 2 || int64(info.value) < 0 {
		return nil
	}
	return tr.called(tid, c, int64(info.value))
}

// called takes note of a system call that succeeded.
func (tr *tracer) called(tid int, c call, result int64) error {
	switch c.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return tr.write(tid, c, result)
	case unix.SYS_FTRUNCATE:
		return tr.file(tid, c.args[0], event{kind: truncate, off: int64(c.args[1])})
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		return tr.file(tid, c.args[0], event{kind: sync, upto: c.at})
	case unix.SYS_OPENAT:
		return tr.open(tid, c, result)
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return tr.rename(tid, c)
	case unix.SYS_UNLINKAT:
		path, err := tr.path(tid, c.args[0], c.args[1])
		return tr.named(event{kind: name, path: path}, err)
	case unix.SYS_MKDIRAT:
		path, err := tr.path(tid, c.args[0], c.args[1])
		return tr.named(event{kind: name, path: path, id: tr.made(filepath.Join(tr.dir, path)), dir: true}, err)
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_FALLOCATE, unix.SYS_LINKAT:
		if path, err := os.Readlink(fd(tid, c.args[0])); err == nil && tr.below(path) != "" {
			return fmt.Errorf("system call %d on %s is not known here", c.nr, path)
		}
	}
	return nil
}

func fd(tid int, n uint64) string { return fmt.Sprintf("/proc/%d/fd/%d", tid, int32(n)) }

// below is a path below the directory, "." for itself, "" if it is elsewhere.
func (tr *tracer) below(path string) string {
	rest, ok := strings.CutPrefix(path, tr.dir)
	if !ok || rest != "" && rest[0] != '/' {
		return ""
	}
	return filepath.Clean("." + rest)
}

// file adds an event of an open file, if that is below the directory.
func (tr *tracer) file(tid int, n uint64, e event) error {
	path, err := os.Readlink(fd(tid, n))
	if err != nil || tr.below(strings.TrimSuffix(path, " (deleted)")) == "" {
		return err
	}
	e.id = tr.ids[inode(fd(tid, n))]
	tr.events = append(tr.events, e)
	return nil
}

// made gives an id to what was made.
func (tr *tracer) made(path string) uint64 {
	tr.last++
	tr.ids[inode(path)] = tr.last
	return tr.last
}

func inode(path string) uint64 {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}

func (tr *tracer) write(tid int, c call, n int64) error {
	path, err := os.Readlink(fd(tid, c.args[0]))
	if err != nil || c.args[0] != 1 && tr.below(strings.TrimSuffix(path, " (deleted)")) == "" {
		return err
	}
	e := event{kind: said, data: make([]byte, n), off: int64(c.args[3])}
	if n > 0 {
		remote := []unix.RemoteIovec{{Base: uintptr(c.args[1]), Len: int(n)}}
		local := []unix.Iovec{{Base: &e.data[0]}}
		local[0].SetLen(int(n))
		if _, err := unix.ProcessVMReadv(tid, local, remote, 0); err != nil {
			return err
		}
	}
	if c.args[0] == 1 {
		tr.events = append(tr.events, e)
		return nil
	}
	if e.kind = write; c.nr == unix.SYS_WRITE {
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, c.args[0]))
		if err != nil {
			return err
		}
		fmt.Sscanf(string(info), "pos: %d", &e.off)
		e.off -= n
	}
	return tr.file(tid, c.args[0], e)
}

func (tr *tracer) open(tid int, c call, n int64) error {
	path, err := os.Readlink(fd(tid, uint64(n)))
	rel := tr.below(path)
	if err != nil || rel == "" {
		return err
	}
	if tr.names[rel] == 0 {
		return tr.named(event{kind: name, path: rel, id: tr.made(fd(tid, uint64(n)))}, nil)
	}
	if c.args[2]&unix.O_TRUNC != 0 {
		return tr.file(tid, uint64(n), event{kind: truncate})
	}
	return nil
}

func (tr *tracer) rename(tid int, c call) error {
	old, err := tr.path(tid, c.args[0], c.args[1])
	if err != nil {
		return err
	}
	path, err := tr.path(tid, c.args[2], c.args[3])
	return tr.named(event{kind: name, path: path, old: old, id: tr.names[old]}, err)
}

// named adds an event of a name below the directory.
func (tr *tracer) named(e event, err error) error {
	if err != nil || e.path == "" {
		return err
	}
	delete(tr.names, e.old)
	tr.names[e.path] = e.id
	tr.events = append(tr.events, e)
	return nil
}

// path reads a path from the memory of a thread.
func (tr *tracer) path(tid int, dirfd, at uint64) (string, error) {
	b := make([]byte, 4096)
	n, err := unix.PtracePeekData(tid, uintptr(at), b)
	if n == 0 {
		return "", err
	}
	p, _, ok := strings.Cut(string(b[:n]), "\x00")
	if !ok {
		return "", fmt.Errorf("a path of more than %d bytes", n)
	}
	if !filepath.IsAbs(p) {
		base := fd(tid, dirfd)
		if int32(dirfd) == unix.AT_FDCWD {
			base = fmt.Sprintf("/proc/%d/cwd", tid)
		}
		dir, err := os.Readlink(base)
		if err != nil {
			return "", err
		}
		p = filepath.Join(dir, p)
	}
	return tr.below(filepath.Clean(p)), nil
}
