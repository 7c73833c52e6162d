//go:build !linux

package disk

import "os"

// Reread does nothing on this system.
func Reread(*os.File) {}

// Unload does nothing on this system.
func Unload(uintptr, int64) {}
