package search_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/search"
)

// Bodies leave compressed for a minute after four were slow, and for longer
// each time.
func TestALinkIsSlowForSomeTimeAfterFourSlowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		perMiB := time.Duration(0)
		client := pipes(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(perMiB)
			io.Copy(io.Discard, r.Body)
		})
		send := func(bytes int, zipped bool, want bool) {
			t.Helper()
			resp, err := client.Do(t.Context(), search.Request{Path: "/_bulk", Body: make([]byte, bytes), Zipped: zipped})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := client.SlowLink(); got != want {
				t.Errorf("slow %v, want %v", got, want)
			}
		}
		for range 8 {
			send(1<<20, false, false)
		}
		perMiB = 100 * time.Millisecond
		send(10<<10, false, false)
		for range 3 {
			send(1<<20, false, false)
		}
		send(1<<20, true, false)
		send(1<<20, false, true)
		for range 10 {
			send(1<<20, true, true)
		}
		time.Sleep(time.Minute)
		for range 3 {
			send(1<<20, false, false)
		}
		send(1<<20, false, true)
		time.Sleep(90 * time.Second)
		send(1<<20, false, true)
		time.Sleep(time.Minute)
		perMiB = 0
		for range 8 {
			send(1<<20, false, false)
		}
	})
}
