package processes_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice/test/processes"
)

func TestAFamilyIsAProcessAndItsDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sh -c 'sleep 1 | cat'; :")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := make(chan int64)
	go func() { peak <- processes.Peak(cmd.Process.Pid) }()
	var arguments string
	var sum int64
	for begin := time.Now(); !strings.Contains(arguments, "sleep 1 |") || !strings.Contains(arguments, "cat \n") || time.Since(begin) < 200*time.Millisecond; {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("got %q, want all four", arguments)
		}
		arguments, sum = "", 0
		for _, p := range processes.Family(cmd.Process.Pid) {
			arguments, sum = arguments+p.Arguments+"\n", sum+p.Resident
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := <-peak; got < sum || sum == 0 {
		t.Errorf("got a peak of %d bytes, want at least %d", got, sum)
	}
	if left := processes.Family(cmd.Process.Pid); left != nil {
		t.Errorf("got %v after its end, want none", left)
	}
}

func TestHighWaterIsThePeakOfAProcessThatHasEnded(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 0.3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := make(chan int64)
	go func() { peak <- processes.HighWater(cmd.Process.Pid) }()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := <-peak; got < 100<<10 || got > 100<<20 {
		t.Errorf("got %d bytes, want what a shell takes", got)
	}
}
