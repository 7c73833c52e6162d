package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/kind"
)

// decoder sets options from nodes. It goes on after an error, so that all are
// found.
type decoder struct {
	Options
	src    *source
	errs   []Error
	places map[string]place // by path: where the options that are given stand
	failed map[string]bool  // by path: options with an error
}

// spot is where in the configuration the decoder is.
type spot struct {
	base string // path of the pipeline or stage: pipelines.x.sink.s3
	name string // from there on: roll.bytes
}

func (s spot) in(name string) spot { return spot{s.base, join(s.name, name)} }
func (s spot) path() string        { return join(s.base, s.name) }

// stage makes what follows the base of what lies below it.
func (s spot) stage() spot { return spot{base: s.path()} }

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

// fail notes an error of what is at a spot.
func (d *decoder) fail(at place, s spot, format string, args ...any) {
	d.failed[s.path()] = true
	message := fmt.Sprintf(format, args...)
	switch {
	case at.line > 0:
		message = prefixed(s.name, message)
	case at.flag != "":
		message = at.flag + ": " + message
	default:
		message = prefixed(strings.TrimPrefix(s.path(), d.src.hide), message)
	}
	d.errs = append(d.errs, Error{Line: at.line, Col: at.col, Message: message})
}

func prefixed(name, message string) string {
	if name == "" {
		return message
	}
	return name + ": " + message
}

// group sets the options of a struct.
func (d *decoder) group(n *node, v reflect.Value, s spot) {
	setDefaults(v)
	if n.shape == broken {
		return
	}
	if n.shape != mapping && n.shape != null {
		d.fail(n.place, s, "options are expected here, as in { name: value }")
		return
	}
	options := optionsOf(v.Type())
	given := map[string]bool{}
	for _, p := range n.pairs {
		o, file := find(options, p.key)
		if o == nil {
			meant := closest(p.key, namesOf(options))
			given[meant] = true // once is enough
			if p.value.shape != scalar && (secretName.MatchString(p.key) || secretName.MatchString(meant)) {
				d.src.hideRest(p)
			}
			d.fail(p.place, s, "unknown key %q; %s", p.key, known(meant, namesOf(options)))
			continue
		}
		if given[o.name] {
			d.fail(p.place, s.in(o.name), "both %s and %s_file are given; leave one out", o.name, o.name)
			continue
		}
		given[o.name] = true
		d.option(*o, p, v.FieldByIndex(o.index), s.in(o.name), file)
		if f, ok := v.Addr().Interface().(kind.Filed); ok && file && !d.failed[s.in(o.name).path()] {
			path, _ := d.text(p.value, s.in(o.name))
			f.FromFile(o.name, path)
		}
	}
	for _, o := range options {
		if o.required && !given[o.name] {
			d.fail(n.place, s.in(o.name), "it is missing; %s", lowerFirst(o.doc))
		}
	}
}

// find gives the option of a name, and whether it names a file that holds it.
func find(options []option, name string) (*option, bool) {
	for i := range options {
		o := &options[i]
		if o.name == name {
			return o, false
		}
		if o.inFile() && o.name+"_file" == name {
			return o, true
		}
	}
	return nil, false
}

func namesOf(options []option) (names []string) {
	for _, o := range options {
		names = append(names, o.name)
	}
	return names
}

// known says which name was probably meant, or else which ones there are.
func known(meant string, names []string) string {
	if meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	slices.Sort(names)
	return "known here: " + strings.Join(names, ", ")
}

// option sets one option.
func (d *decoder) option(o option, p pair, v reflect.Value, s spot, file bool) {
	n := p.value
	if n.shape == broken {
		d.failed[s.path()] = true
		return
	}
	d.places[s.path()] = n.place
	if n.shape == mapping || n.shape == sequence {
		d.places[s.path()] = p.place
	}
	if o.typ.Kind() == reflect.Pointer {
		v.Set(reflect.New(o.typ.Elem()))
		v = v.Elem()
	}
	switch t := v.Addr().Interface().(type) {
	case *[]*Pipeline:
		d.pipelines(p, t, s)
		return
	case *Source:
		stage(d, p, t, d.Kinds.Sources, s)
		return
	case *Sink:
		stage(d, p, t, d.Kinds.Sinks, s)
		return
	case *[]Transform:
		d.transforms(n, t, s)
		return
	}
	if o.secret() && n.shape != scalar {
		d.src.hideRest(p)
	}
	switch {
	case isGroup(v.Type()):
		n := *n
		n.place = d.places[s.path()]
		d.group(&n, v, s)
	case v.Kind() == reflect.Slice:
		d.list(o, n, v, s)
	case n.shape != scalar:
		d.noScalar(n, p.place, s)
	case file:
		d.file(n, v, s)
	default:
		d.scalar(o, n, v, s)
	}
}

func (d *decoder) noScalar(n *node, key place, s spot) {
	switch n.shape {
	case null:
		d.fail(key, s, "it has no value; give it one or leave it out")
	case sequence:
		d.fail(n.place, s, "one value is expected, not a list")
	default:
		d.fail(n.place, s, "one value is expected, not a mapping")
	}
}

// list sets a list from a sequence or from one value.
func (d *decoder) list(o option, n *node, v reflect.Value, s spot) {
	items := n.items
	switch n.shape {
	case scalar:
		items = []*node{n}
	case sequence:
	default:
		d.fail(n.place, s, "one value or a list of values is expected")
		return
	}
	if o.required && len(items) == 0 {
		d.fail(n.place, s, "it must not be empty")
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		at := s
		if n.shape == sequence {
			at = s.in(strconv.Itoa(i))
		}
		switch {
		case isGroup(v.Type().Elem()):
			d.group(item, v.Index(i), at)
		case item.shape != scalar:
			d.noScalar(item, item.place, at)
		default:
			d.scalar(o, item, v.Index(i), at)
		}
	}
}

// scalar sets an option that is one value. Nothing is said of a secret but
// what is wrong with it.
func (d *decoder) scalar(o option, n *node, v reflect.Value, s spot) {
	d.src.show(n.place, !o.secret())
	text, ok := d.text(n, s)
	if !ok {
		return
	}
	was := reflect.ValueOf(v.Interface())
	err := reading(n, v.Type())
	if err == nil {
		err = setText(v, text)
	}
	if err == nil {
		err = bounds(o, v)
	}
	if err == nil {
		return
	}
	v.Set(was) // what goes on with it finds a value that is possible
	message := err.Error()
	if text != n.text { // variables may hold secrets
		message = strings.ReplaceAll(message, strconv.Quote(text), strconv.Quote(n.text))
	}
	d.fail(n.place, s, "%s", message)
}

// text gives the text of a scalar with its variables filled in.
func (d *decoder) text(n *node, s spot) (string, bool) {
	if n.place.line == 0 || !strings.Contains(n.text, "$") {
		return n.text, true
	}
	text, err := expand(n.text, d.Env)
	if err != nil {
		d.fail(n.place, s, "%v", err)
		return "", false
	}
	n.as = asAny
	return text, true
}

// file sets an option to what a file holds, without the newline at its end.
func (d *decoder) file(n *node, v reflect.Value, s spot) {
	d.src.show(n.place, true)
	path, ok := d.text(n, s)
	if !ok {
		return
	}
	content, err := d.ReadFile(path)
	if err != nil {
		d.fail(n.place, s, "%v", err)
		return
	}
	if err := setText(v, strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")); err != nil {
		d.fail(n.place, s, "%v", err)
	}
}
