package config

import (
	"encoding"
	"reflect"
	"strings"

	"sluice/internal/unit"
)

// option is one option, as the tags of its field say.
type option struct {
	name, doc, def string
	enum           []string
	required, file bool
	min, max       string
	typ            reflect.Type
	index          []int // of its field
}

// optionsOf lists the options of a struct in the order of its fields. The
// options of an embedded struct are its own.
func optionsOf(t reflect.Type) []option {
	var out []option
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("yaml")
		tag, _, _ = strings.Cut(tag, ",")
		if !ok || tag == "-" || tag == "" || !f.IsExported() {
			continue
		}
		o := option{
			name: tag, doc: f.Tag.Get("doc"), def: f.Tag.Get("default"), required: f.Tag.Get("required") == "true", file: f.Tag.Get("file") == "true",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), typ: f.Type, index: f.Index,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			o.enum = strings.Split(enum, "|")
		}
		out = append(out, o)
	}
	return out
}

// secret reports whether the option is one.
func (o option) secret() bool { return base(o.typ) == reflect.TypeFor[unit.Secret]() }

// inFile reports whether the option may come from a file.
func (o option) inFile() bool { return o.file || o.secret() }

// base is the type itself of a type that may be not given.
func base(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// isText reports whether values of the type read themselves from text.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isGroup reports whether the type is a struct of options.
func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

// setDefaults gives the options of a struct their defaults. Options that are
// pointers are not given, so they have none.
func setDefaults(v reflect.Value) {
	for _, o := range optionsOf(v.Type()) {
		f := v.FieldByIndex(o.index)
		switch {
		case isGroup(o.typ):
			setDefaults(f)
		case o.def == "" || o.typ.Kind() == reflect.Pointer:
		case o.typ.Kind() == reflect.Slice:
			f.Set(reflect.ValueOf(strings.Split(o.def, ",")))
		default:
			if err := setText(f, o.def); err != nil {
				panic("config: default of " + o.name + ": " + err.Error()) // a tag of ours is wrong; a test reads all
			}
		}
	}
}
