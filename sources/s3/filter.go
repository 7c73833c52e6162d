package s3

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/glob"
	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/unit"
)

// Filter says which objects of the bucket are read, beside the prefix. The
// others are not part of what was asked for: nothing counts or reports them.
type Filter struct {
	Include        []string   `yaml:"include" doc:"Objects of which the part of the key behind prefix matches one of these are read; without it, all. A pattern is a glob, in which * stands for anything without a slash, ** for anything, ? for one character and [a-z] for one of several, or re: and a regular expression, which matches any part unless it says ^ and $."`
	Exclude        []string   `yaml:"exclude" doc:"Objects that match one of these are left out, even if include names them."`
	MinSize        unit.Bytes `yaml:"min_size" doc:"Smaller objects are left out."`
	MaxSize        unit.Bytes `yaml:"max_size" doc:"Larger objects are left out; 0 is any size."`
	ModifiedAfter  string     `yaml:"modified_after" doc:"Objects that were not modified after this time are left out: a date, a time as 2026-01-02T15:04:05Z, or how long before the pass begins, such as 7d or 12h."`
	ModifiedBefore string     `yaml:"modified_before" doc:"Objects that were not modified before this time are left out."`
	StartAfter     string     `yaml:"start_after" doc:"Objects up to this key, prefix included, are left out; that costs no request."`
	StorageClass   []string   `yaml:"storage_class" doc:"Objects in another storage class, such as STANDARD or GLACIER, are left out; without it, those of all classes are read."`
}

// problems checks the options.
func (f *Filter) problems() (list []kind.Problem) {
	for option, patterns := range map[string][]string{"include": f.Include, "exclude": f.Exclude} {
		if _, err := glob.Compile(patterns); err != nil {
			list = append(list, kind.Problem{Option: option, Message: err.Error()})
		}
	}
	for option, text := range map[string]string{"modified_after": f.ModifiedAfter, "modified_before": f.ModifiedBefore} {
		if _, err := moment(text, time.Time{}); err != nil {
			list = append(list, kind.Problem{Option: option, Message: err.Error()})
		}
	}
	if f.MaxSize > 0 && f.MaxSize < f.MinSize {
		list = append(list, kind.Problem{Option: "max_size", Message: fmt.Sprintf("it is less than min_size, %v: no object is left", f.MinSize)})
	}
	return list
}

// wanted is a filter that is ready.
type wanted struct {
	*Filter
	include, exclude []*regexp.Regexp
}

func (f *Filter) compile() (w wanted, err error) {
	w.Filter = f
	if w.include, err = glob.Compile(f.Include); err == nil {
		w.exclude, err = glob.Compile(f.Exclude)
	}
	return w, err
}

// times are the bounds of when objects were modified. They are fixed when a pass
// is planned, so that a pass that goes on later has the same.
type times struct {
	After  time.Time `json:",omitzero"`
	Before time.Time `json:",omitzero"`
}

func (f *Filter) times(now time.Time) (t times, err error) {
	if t.After, err = moment(f.ModifiedAfter, now); err == nil {
		t.Before, err = moment(f.ModifiedBefore, now)
	}
	return t, err
}

// takes says whether an object is wanted; rest is its key behind the prefix.
func (w wanted) takes(o objects.Object, rest string, t times) bool {
	switch {
	case o.Size < int64(w.MinSize), w.MaxSize > 0 && o.Size > int64(w.MaxSize):
		return false
	case !t.After.IsZero() && !o.Modified.After(t.After), !t.Before.IsZero() && !o.Modified.Before(t.Before):
		return false
	case len(w.StorageClass) > 0 && !slices.ContainsFunc(w.StorageClass, func(c string) bool { return strings.EqualFold(c, class(o)) }):
		return false
	case len(w.include) > 0 && !glob.Match(w.include, rest):
		return false
	}
	return !glob.Match(w.exclude, rest)
}

// class is the storage class of an object, which few name if it is the usual
// one.
func class(o objects.Object) string {
	if o.Class == "" {
		return "STANDARD"
	}
	return o.Class
}

// moment reads a time, or how long it is before now. The zero time is none.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write 2026-01-02, 2026-01-02T15:04:05Z, or how long ago: 7d, 12h", text)
}
