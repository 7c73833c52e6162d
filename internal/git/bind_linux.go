package git

import "syscall"

// bind gives a git a process group of its own: a Ctrl-C in a terminal is for us
// to handle, and all of its children can be killed with it. When this process
// dies, git is told to end, as which it ends its helpers too; those that SIGKILL
// leaves behind would push on.
//
// The kernel sends the signal when the thread ends that started git, and threads
// of Go end only with a goroutine that is locked to one.
func bind() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
