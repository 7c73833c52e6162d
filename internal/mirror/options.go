package mirror

import (
	"fmt"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
)

// Options are the options of a sink that can be a mirror.
type Options struct {
	Mirror    bool       `yaml:"mirror" doc:"Make what is there what the source has: what did not change is not copied again, and after a complete pass what the source no longer has is deleted."`
	MaxDelete unit.Share `yaml:"max_delete" default:"20%" doc:"The most that a pass of a mirror deletes, a number, or a percentage of what is there; if it would be more, nothing is deleted, and the pass fails."`
}

// Mirrors implements [kind.Mirror].
func (o *Options) Mirrors() bool { return o.Mirror }

// AllowDeletes implements [kind.Mirror].
func (o *Options) AllowDeletes(most unit.Share) { o.MaxDelete = most }

// With is other options of the sink.
type With struct {
	Overwrite string
	Manifest  bool // there is to be one
}

// Problems checks the options against those of the sink.
func (o *Options) Problems(env kind.Env, t *keys.Template, with With) (problems []kind.Problem) {
	add := func(option, format string, args ...any) {
		problems = append(problems, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	switch f := t.Passing(); {
	case !o.Mirror:
		return nil
	case f == "sequence":
		add("mirror", "each object mirrors one item: leave {sequence} out of the key")
	case f != "":
		add("mirror", "an item has the same key in each pass: leave {%s} out of the key", f)
	}
	if env.New {
		add("mirror", "what a pass does not have is deleted, and one with mode: new has only what is new: leave mode out")
	}
	if env.Transient {
		add("mirror", "it goes by what it remembers of the last pass: say where to keep the state")
	}
	if with.Overwrite == roll.Never {
		add("mirror", "it replaces what has changed: overwrite is own or always")
	}
	if with.Manifest {
		add("mirror", "a manifest says what a pass has made, and this one leaves alone what did not change: leave manifest out")
	}
	return problems
}

// Takes says what is wrong with what comes in; nil if nothing is.
func (o *Options) Takes(in kind.Form) *kind.Problem {
	if !o.Mirror || in == kind.Bytes {
		return nil
	}
	return &kind.Problem{Option: "mirror", Message: fmt.Sprintf("it mirrors objects or files one by one, and these are %s: leave mirror out", in)}
}

// Need is the memory of a mirror, in bytes: of each lane, pages of the target
// and of rows; of all together, rows that are to be written.
const (
	NeedLane   = 2 << 20
	NeedShared = 2 << 20
)
