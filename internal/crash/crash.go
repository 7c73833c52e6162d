// Package crash lets a test kill the process at places where a crash is worth
// trying: SLUICE_CRASH=name:n kills it, as kill -9 does, the n-th time that it
// comes to the point of that name. Otherwise a point costs one comparison.
package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// The points. Each is hit by a test; see test/crash_test.go.
const (
	AfterContext    = "after-context"     // a search context is in the store, its first page not read
	AfterCut        = "after-cut"         // a cut is in the store, its unit not completed
	AfterBegin      = "after-begin"       // an upload is begun, its id not in the store
	AfterLastPart   = "after-last-part"   // all parts are uploaded, the object not completed
	AfterComplete   = "after-complete"    // the object is visible, its unit not done
	AfterRename     = "after-rename"      // the file is visible, its unit not done
	AfterBulkReply  = "after-bulk-reply"  // the bulk is applied, its unit not done
	AfterCreate     = "after-create"      // an index is made, its document not done
	AfterOriginals  = "after-originals"   // the settings of an index are in the store, not changed
	AfterSettings   = "after-settings"    // the settings of an index are changed for a load, nothing is written
	AfterRestore    = "after-restore"     // the settings of an index are put back, the store still has them
	AfterAlias      = "after-alias"       // an alias is switched, its pass not complete
	AfterImport     = "after-import"      // commits are made, nothing is pushed
	InPush          = "in-push"           // a push has begun
	AfterPush       = "after-push"        // the branch has moved, its pass not complete
	BeforeSave      = "before-save"       // a save is to begin
	InSave          = "in-save"           // rows are written, not committed
	AfterSave       = "after-save"        // rows are durable, nobody told
	AfterDeadLetter = "after-dead-letter" // dead letters are durable, the save has not begun
)

// Points lists all names.
var Points = []string{AfterContext, AfterCut, AfterBegin, AfterLastPart, AfterComplete, AfterRename, AfterBulkReply,
	AfterCreate, AfterOriginals, AfterSettings, AfterRestore, AfterAlias, AfterImport, InPush, AfterPush, BeforeSave, InSave, AfterSave, AfterDeadLetter}

// Around are those of Points that are about the indices around a load.
var Around = []string{AfterCreate, AfterOriginals, AfterSettings, AfterRestore, AfterAlias}

// Git are those of Points that are about commits.
var Git = []string{AfterImport, InPush, AfterPush}

type plan struct {
	name string
	left atomic.Int64
}

var planned = sync.OnceValue(func() *plan {
	spec := os.Getenv("SLUICE_CRASH")
	if spec == "" {
		return nil
	}
	name, nth, ok := strings.Cut(spec, ":")
	n, err := strconv.ParseInt(nth, 10, 64)
	if !ok || err != nil || n < 1 {
		panic(fmt.Sprintf("SLUICE_CRASH=%q: write name:n", spec))
	}
	p := &plan{name: name}
	p.left.Store(n)
	return p
})

// Point kills the process if this hit of name is the one that was asked for.
func Point(name string) {
	p := planned()
	if p == nil || p.name != name || p.left.Add(-1) != 0 {
		return
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal arrives
}
