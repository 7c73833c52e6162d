package ops

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"sluice/internal/letters"
)

const (
	mostEvents    = 200 // that are kept of all pipelines
	mostOfOne     = 50  // of one
	mostErrors    = 10  // of one, that are warnings and errors
	progressEvent = "progress"
	passEvent     = "pass ended" // is written each time: it is a result
)

// Events is what happened lately: the lines of the log, from info on, but for
// progress. Its methods may be called from several goroutines.
type Events struct {
	mu     sync.Mutex
	all    []*Event // the oldest first
	faults *faults
}

// Keep gives a logger that writes what log writes, keeps the last of it as
// events, and does not repeat itself: of a warning or error that comes again and
// again, the first ones are written, and then one a minute, which says how many
// there were.
func Keep(log *slog.Logger) (*slog.Logger, *Events) {
	e := &Events{faults: &faults{kinds: map[string]*fault{}}}
	return slog.New(keeper{Handler: log.Handler(), events: e}), e
}

// Flush writes what was held back.
func (e *Events) Flush() { e.faults.flush() }

// List gives the last events, the newest first: those of a pipeline, or of all
// for "".
func (e *Events) List(pipeline string) []Event {
	most := mostOfOne
	if pipeline == "" {
		most = mostEvents
	}
	return e.list(most, func(ev *Event) bool { return pipeline == "" || ev.Pipeline == pipeline })
}

// Errors gives the last warnings and errors of a pipeline, the newest first.
func (e *Events) Errors(pipeline string) []Event {
	return e.list(mostErrors, func(ev *Event) bool { return ev.Pipeline == pipeline && ev.Level != "info" })
}

func (e *Events) list(most int, wanted func(*Event) bool) []Event {
	all := []Event{}
	if e == nil {
		return all
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range slices.Backward(e.all) {
		if len(all) < most && wanted(ev) {
			all = append(all, *ev)
		}
	}
	return all
}

// add keeps an event. One that is like one of the last of its pipeline takes its
// place.
func (e *Events) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, seen := 0, 0; i < len(e.all) && seen < 8; i++ {
		old := e.all[len(e.all)-1-i]
		if old.Pipeline != ev.Pipeline {
			continue
		}
		seen++
		if old.Level != "info" && old.kind() == ev.kind() {
			ev.Repeated = max(1, old.Repeated) + 1
			e.all = slices.Delete(e.all, len(e.all)-1-i, len(e.all)-i)
			break
		}
	}
	e.all = append(e.all, &ev)
	e.forget(ev.Pipeline)
}

// forget drops what is too old: of the pipeline that has too many, the one that
// says least.
func (e *Events) forget(pipeline string) {
	drop := func(is func(*Event) bool) bool {
		i := slices.IndexFunc(e.all, is)
		if i >= 0 {
			e.all = slices.Delete(e.all, i, i+1)
		}
		return i >= 0
	}
	ofOne := func(info bool) (n int) {
		for _, ev := range e.all {
			if ev.Pipeline == pipeline && (ev.Level == "info") == info {
				n++
			}
		}
		return n
	}
	if ofOne(true) > mostOfOne-mostErrors {
		drop(func(ev *Event) bool { return ev.Pipeline == pipeline && ev.Level == "info" })
	}
	if ofOne(false) > mostErrors {
		drop(func(ev *Event) bool { return ev.Pipeline == pipeline && ev.Level != "info" })
	}
}

// kind is what is the same in events that differ in figures alone.
func (ev *Event) kind() string {
	text := func(name string) string { s, _ := ev.Values[name].(string); return s }
	why := cmp.Or(text("error"), text("reason"), text("finding"), text("option"))
	return strings.Join([]string{ev.Level, ev.Pipeline, text("stage"), ev.Message, letters.Group(cut(why, mostText))}, "\x00")
}

// keeper is the handler of a logger whose lines are kept.
type keeper struct {
	slog.Handler
	events *Events
	attrs  []slog.Attr // that were added to the logger
}

// Enabled implements [slog.Handler]: events are kept whatever is written.
func (k keeper) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || k.Handler.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (k keeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	return keeper{k.Handler.WithAttrs(attrs), k.events, slices.Concat(k.attrs, attrs)}
}

// WithGroup implements [slog.Handler].
func (k keeper) WithGroup(name string) slog.Handler {
	return keeper{k.Handler.WithGroup(name), k.events, k.attrs}
}

// Handle implements [slog.Handler].
func (k keeper) Handle(ctx context.Context, r slog.Record) error {
	ev := k.event(r)
	if r.Level >= slog.LevelInfo && r.Message != progressEvent {
		k.events.add(ev)
	}
	if !k.Handler.Enabled(ctx, r.Level) || r.Level >= slog.LevelWarn && r.Message != passEvent && !k.events.faults.allow(ev.kind(), k.Handler, r) {
		return nil
	}
	return k.Handler.Handle(ctx, r)
}

func (k keeper) event(r slog.Record) Event {
	ev := Event{Time: r.Time.UTC(), Level: strings.ToLower(r.Level.String()), Message: r.Message, Values: map[string]any{}}
	add := func(a slog.Attr) bool {
		v := a.Value.Resolve()
		switch {
		case a.Key == "pipeline":
			ev.Pipeline = v.String()
		case v.Kind() == slog.KindInt64, v.Kind() == slog.KindUint64, v.Kind() == slog.KindFloat64, v.Kind() == slog.KindBool:
			ev.Values[a.Key] = v.Any()
		default:
			ev.Values[a.Key] = cut(v.String(), mostText)
		}
		return true
	}
	for _, a := range k.attrs {
		add(a)
	}
	r.Attrs(add)
	return ev
}
