package ops

import (
	"os"
	"runtime/debug"

	"sluice/internal/unit"
)

// gcRoom is what the heap may have beyond memory before the collector works
// without pause: garbage, and the runtime itself. With the code of the program
// it stays well within the 60 MB that the process may have beyond memory.
const gcRoom = 16 << 20

// gcPercent is how much garbage there may be beside what is in use, in percent
// of that. There is next to none: collecting it early costs nothing that could be
// measured, and what the process takes depends less on when that happens.
const gcPercent = 25

// LimitMemory tells the garbage collector how much memory there is, unless
// GOMEMLIMIT or GOGC say so.
func LimitMemory(memory unit.Bytes) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memory) + gcRoom)
	}
}
