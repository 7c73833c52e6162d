package search

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"sluice/internal/unit"
)

const (
	// slow is the speed of bodies, in bytes a second and lane, below which it is
	// tried whether they come faster compressed. Measured on one core: 84 MB/s
	// are compressed as clusters do it (gzip level 3), 264 MB/s expanded; so
	// above half of what a cluster compresses there is little to gain.
	slow = 40 << 20

	trialTime   = 3 * time.Second  // that speeds are measured, at least
	trialPages  = 4                // likewise
	gain        = 1.1              // for less, the work of compressing is not worth it
	firstRest   = time.Minute      // until it is tried again, twice as long each time
	longestRest = 30 * time.Minute // but no longer than this
)

// tuner finds out whether pages are to come compressed, which costs client and
// cluster some CPU and pays where the network is slow. Pages are read in clear
// until that is the case; then both ways are measured, the better one is kept,
// and the other one tried again now and then.
type tuner struct {
	mu     sync.Mutex
	auto   bool
	zip    bool      // how pages are asked for
	trial  bool      // it is not known yet whether that is better
	since  time.Time // when it began to be
	sum    speed
	before float64 // speed the other way, in a trial
	rest   time.Duration
	next   time.Time // trial
}

// speed is what pages have taken.
type speed struct {
	pages  int
	bytes  int64         // in clear
	waited time.Duration // for heads
	read   time.Duration // until bodies were there; what was done meanwhile does not count
}

func (s *speed) add(o speed) {
	s.pages += o.pages
	s.bytes += o.bytes
	s.waited += o.waited
	s.read += o.read
}

// perSecond is the bytes a second of a lane.
func (s speed) perSecond() float64 { return float64(s.bytes) / max(s.waited+s.read, 1).Seconds() }

// bodies is the same without waiting for heads.
func (s speed) bodies() float64 { return float64(s.bytes) / max(s.read, 1).Seconds() }

func newTuner(c string) *tuner {
	return &tuner{auto: c == "auto", zip: c == "on", since: time.Now(), rest: firstRest}
}

// on says whether a page is to be asked for compressed.
func (t *tuner) on() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.zip
}

// page notes a page that was asked for at a time.
func (t *tuner) page(log *slog.Logger, begun time.Time, zipped bool, s speed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.auto || zipped != t.zip || begun.Before(t.since) {
		return
	}
	t.sum.add(s)
	if t.sum.pages < trialPages || time.Since(t.since) < trialTime {
		return
	}
	t.decide(log, t.sum)
	t.sum, t.since = speed{}, time.Now()
}

// decide goes on, begins a trial, or ends one.
func (t *tuner) decide(log *slog.Logger, s speed) {
	now := time.Now()
	if t.trial {
		t.judge(log, s.perSecond())
		t.next = now.Add(t.rest)
		t.rest = min(2*t.rest, longestRest)
		return
	}
	if now.Before(t.next) || !t.zip && s.bodies() >= slow {
		return
	}
	t.trial, t.before, t.zip = true, s.perSecond(), !t.zip
	log.Debug("trying whether pages are faster", "compressed", t.zip, "bodies_per_second", unit.Bytes(s.bodies()))
}

// judge ends a trial.
func (t *tuner) judge(log *slog.Logger, now float64) {
	t.trial = false
	plain, zipped := t.before, now
	if !t.zip {
		plain, zipped = now, t.before
	}
	better := zipped > gain*plain
	changed := better == t.zip
	t.zip = better
	if changed {
		log.Info("pages are read the faster way", "compressed", t.zip, "compressed_per_second", unit.Bytes(zipped), "plain_per_second", unit.Bytes(plain))
	}
}

// page is the body of a page, whose speed is measured.
type page struct {
	io.ReadCloser
	tuner  *tuner
	log    *slog.Logger
	begun  time.Time
	zipped bool
	speed
}

// Read implements io.Reader.
func (p *page) Read(b []byte) (int, error) {
	begin := time.Now()
	n, err := p.ReadCloser.Read(b)
	p.read += time.Since(begin)
	p.bytes += int64(n)
	if err == io.EOF {
		p.pages = 1
	}
	return n, err
}

// Close implements io.Closer. A page that was not read to its end does not
// count.
func (p *page) Close() error {
	if p.pages == 1 {
		p.tuner.page(p.log, p.begun, p.zipped, p.speed)
		p.speed = speed{}
	}
	return p.ReadCloser.Close()
}
