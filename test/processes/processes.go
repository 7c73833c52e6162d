// Package processes looks at a process and all that it has started, as Linux
// shows them in /proc.
package processes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Process is a process that runs.
type Process struct {
	ID        int
	Arguments string // anybody on the machine can read them
	Resident  int64  // bytes; what it shares with others counts in each
}

// Family is a process and its descendants: those that run, and whose ancestors
// do.
func Family(id int) (all []Process) {
	dir := fmt.Sprintf("/proc/%d", id)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return nil
	}
	arguments, _ := os.ReadFile(dir + "/cmdline") // none if it has just ended
	p := Process{ID: id, Arguments: strings.ReplaceAll(string(arguments), "\x00", " ")}
	if _, after, ok := strings.Cut(string(status), "VmRSS:"); ok {
		fmt.Sscan(after, &p.Resident)
		p.Resident <<= 10 // of KiB
	}
	all = append(all, p)
	threads, _ := filepath.Glob(dir + "/task/*/children")
	for _, t := range threads {
		children, _ := os.ReadFile(t)
		for _, c := range strings.Fields(string(children)) {
			var child int
			fmt.Sscan(c, &child)
			all = append(all, Family(child)...)
		}
	}
	return all
}

// Peak returns the most memory that a process and its descendants had resident
// at any one time, in bytes, when it has ended. It looks every 20 ms.
func Peak(id int) (peak int64) {
	for {
		all := Family(id)
		if len(all) == 0 || all[0].Resident == 0 { // it has ended
			return peak
		}
		var sum int64
		for _, p := range all {
			sum += p.Resident
		}
		peak = max(peak, sum)
		time.Sleep(20 * time.Millisecond)
	}
}

// HighWater returns the most memory that a process alone had resident at any one
// time (VmHWM), in bytes, when it has ended. What the kernel tells its parent
// afterwards counts the parent's memory, too.
func HighWater(id int) (peak int64) {
	for {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
		_, after, ok := strings.Cut(string(b), "VmHWM:")
		if err != nil || !ok {
			return peak
		}
		var kib int64
		fmt.Sscan(after, &kib)
		peak = max(peak, kib<<10)
		time.Sleep(20 * time.Millisecond)
	}
}
