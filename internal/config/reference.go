package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Option describes one option of Sluice, for documents and commands.
type Option struct {
	Path     string // memory, pipelines.*.lanes, pipelines.*.source.s3.bucket, pipelines.*.transforms.gzip.level
	Doc      string // one sentence
	Default  string // its text; "": none
	Enum     string // the only values it takes, with | between them; "": any
	Required bool
	Secret   bool // it may also be given as path + "_file"
	Group    bool // it holds other options
}

// Reference lists all options there are: those of a file, of a pipeline, and
// of every kind of stage by name.
func Reference() []Option {
	l := lister{kinds: Options{}.orDefaults().Kinds}
	l.group("", fileType)
	return l.out
}

type lister struct {
	kinds Kinds
	out   []Option
}

// group lists the options of a struct and of what is in it.
func (l *lister) group(path string, t reflect.Type) {
	for _, o := range optionsOf(t) {
		at := join(path, o.name)
		l.out = append(l.out, Option{Path: at, Doc: o.doc, Default: o.def, Enum: strings.Join(o.enum, "|"), Required: o.required, Secret: o.secret(), Group: true})
		switch t := base(o.typ); t {
		case reflect.TypeFor[[]*Pipeline]():
			l.group(join(at, "*"), reflect.TypeFor[Pipeline]())
		case reflect.TypeFor[Source]():
			listKinds(l, at, l.kinds.Sources)
		case reflect.TypeFor[[]Transform]():
			listKinds(l, at, l.kinds.Transforms)
		case reflect.TypeFor[Sink]():
			listKinds(l, at, l.kinds.Sinks)
		default:
			n := len(l.out)
			l.inside(at, t)
			l.out[n-1].Group = len(l.out) > n
		}
	}
}

// inside lists the options that an option holds, if it does.
func (l *lister) inside(path string, t reflect.Type) {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if isGroup(t) {
		l.group(path, t)
	}
}

func listKinds[K any](l *lister, path string, table map[string]func() K) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		l.group(join(path, name), reflect.TypeOf(table[name]()).Elem())
	}
}
