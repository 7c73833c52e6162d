//go:build !linux

package git

import "syscall"

// bind gives a git a process group of its own, so that all of its children can
// be killed with it.
func bind() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
