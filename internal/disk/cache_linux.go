package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Reread lets the next reads of f see what is on the disk, not what the system
// remembers: after a failed sync the two may differ. It may do nothing.
func Reread(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// Unload takes a mapped file of size bytes out of the memory of the process.
// What is needed again comes from the cache of the system. It may do nothing.
func Unload(begin uintptr, size int64) {
	unix.Syscall(unix.SYS_MADVISE, begin, uintptr(size), unix.MADV_DONTNEED)
}
