package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"strconv"

	"sluice/internal/unit"
)

// Fingerprint is the same for two pipelines if all that they were configured
// with is: the options of the pipeline and its stages with their defaults, what
// variables stand for, and the secrets. It gives none of that away.
func (p *Pipeline) Fingerprint() string {
	h := sha256.New()
	write(h, p.Name, reflect.ValueOf(p).Elem())
	return hex.EncodeToString(h.Sum(nil))
}

// write writes all options of a value, each with its path.
func write(out io.Writer, path string, v reflect.Value) {
	switch t := v.Interface().(type) {
	case Source:
		write(out, join(path, t.Kind), reflect.ValueOf(t.Options))
		return
	case Transform:
		write(out, join(path, t.Name), reflect.ValueOf(t.Options))
		return
	case Sink:
		write(out, join(path, t.Kind), reflect.ValueOf(t.Options))
		return
	case unit.Secret:
		fmt.Fprintf(out, "%s=%q\n", path, t.Reveal())
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			fmt.Fprintf(out, "%s\n", path)
			write(out, path, v.Elem())
		}
	case isGroup(v.Type()):
		for _, o := range optionsOf(v.Type()) {
			write(out, join(path, o.name), v.FieldByIndex(o.index))
		}
	case v.Kind() == reflect.Slice:
		fmt.Fprintf(out, "%s: %d\n", path, v.Len())
		for i := range v.Len() {
			write(out, join(path, strconv.Itoa(i)), v.Index(i))
		}
	default:
		fmt.Fprintf(out, "%s=%#v\n", path, v.Interface())
	}
}

// Keep makes the options of the process what they were in the file that it runs
// with, because they cannot change while it runs. It names those that would
// have. Where memory is given in neither file, it stays as large as pipelines
// need it.
func (f *File) Keep(running *File) (changed []string) {
	is, was := reflect.ValueOf(f).Elem(), reflect.ValueOf(running).Elem()
	for _, o := range optionsOf(fileType) {
		a, b := is.FieldByIndex(o.index), was.FieldByIndex(o.index)
		switch {
		case o.name == "pipelines", o.name == "memory" && f.grows && running.grows, reflect.DeepEqual(a.Interface(), b.Interface()):
			continue
		case o.name == "memory":
			f.grows = running.grows
		}
		a.Set(b)
		changed = append(changed, o.name)
	}
	for _, p := range f.Pipelines {
		p.env.Scratch = Options{}.scratch(f, p.Name) // is beside the state, which has not moved
	}
	return changed
}
