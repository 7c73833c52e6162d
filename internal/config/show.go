package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"

	"github.com/goccy/go-yaml"

	"sluice/internal/unit"
)

// Text is the pipeline as YAML: the options that are in effect, defaults
// included, without secrets. Of commands, which may hold some, only the program
// is shown.
func (p *Pipeline) Text() string {
	text, err := yaml.Marshal(shown(reflect.ValueOf(p).Elem()))
	if err != nil {
		return fmt.Sprintf("# it cannot be shown: %v\n", err)
	}
	return string(text)
}

// shown gives what is shown of a value; nil: nothing.
func shown(v reflect.Value) any {
	switch t := v.Interface().(type) {
	case Source:
		return yaml.MapSlice{{Key: t.Kind, Value: shown(reflect.ValueOf(t.Options))}}
	case Transform:
		return yaml.MapSlice{{Key: t.Kind, Value: shown(reflect.ValueOf(t.Options))}}
	case Sink:
		return yaml.MapSlice{{Key: t.Kind, Value: shown(reflect.ValueOf(t.Options))}}
	case Definition: // the pipeline is what it made
		return nil
	case unit.Secret:
		return t.String()
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil
		}
		text, err := t.MarshalText()
		if err != nil {
			return nil
		}
		return withoutPassword(string(text))
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return shown(v.Elem())
	case isGroup(v.Type()):
		return shownGroup(v)
	case v.Kind() == reflect.Slice:
		var all []any
		for i := range v.Len() {
			all = append(all, shown(v.Index(i)))
		}
		return all
	case v.Kind() == reflect.String:
		return withoutPassword(v.String())
	}
	return v.Interface()
}

func shownGroup(v reflect.Value) yaml.MapSlice {
	all := yaml.MapSlice{}
	for _, o := range optionsOf(v.Type()) {
		f := v.FieldByIndex(o.index)
		if f.IsZero() && o.def == "" {
			continue
		}
		value := shown(f)
		if list, ok := value.([]any); ok && o.name == "command" && len(list) > 1 {
			value = []any{list[0], "***"}
		}
		if value != nil {
			all = append(all, yaml.MapItem{Key: o.name, Value: value})
		}
	}
	return all
}

// password is what stands before the host of an address.
var password = regexp.MustCompile(`://[^/@\s]*@`)

func withoutPassword(s string) string { return password.ReplaceAllString(s, "://***@") }
