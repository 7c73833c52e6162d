package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"sluice/internal/unit"
)

var fileType = reflect.TypeFor[File]()

// Schema is the JSON schema (draft 2020-12) of a configuration file, for editors.
func Schema() []byte {
	s := schemer{Options{}.orDefaults().Kinds}
	root := s.group(fileType)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of Sluice"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // it is made of strings and numbers
	}
	return append(text, '\n')
}

// object is a JSON object.
type object = map[string]any

// variables is text in which a variable stands for the value.
var variables = object{"type": "string", "pattern": `\$\{`}

type schemer struct{ Kinds }

// group describes a struct of options.
func (s schemer) group(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, o := range optionsOf(t) {
		p := s.value(o, base(o.typ))
		p["description"] = o.doc
		properties[o.name] = p
		if o.def != "" {
			p["default"] = defaultOf(o)
		}
		if o.inFile() {
			properties[o.name+"_file"] = object{"type": "string", "description": "Path of a file that holds " + o.name + "."}
		} else if o.required {
			required = append(required, o.name)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if t == reflect.TypeFor[Pipeline]() {
		required = slices.DeleteFunc(required, func(name string) bool { return name == "sink" })
		out["oneOf"] = []object{{"required": []string{"sink"}}, {"required": []string{"sinks"}}}
	}
	if len(required) > 0 {
		out["required"] = required
	} else {
		out["type"] = []string{"object", "null"}
	}
	return out
}

// defaultOf gives the default as JSON has it.
func defaultOf(o option) any {
	switch {
	case base(o.typ).Kind() == reflect.Bool:
		return o.def == "true"
	case isNumber(base(o.typ)):
		n, _ := strconv.ParseInt(o.def, 10, 64)
		return n
	}
	return o.def
}

// value describes what an option takes.
func (s schemer) value(o option, t reflect.Type) object {
	names := object{"pattern": "^[a-z0-9][a-z0-9._-]*$", "maxLength": maxName}
	switch t {
	case reflect.TypeFor[[]*Pipeline]():
		return object{
			"type": "object", "minProperties": 1, "additionalProperties": s.group(reflect.TypeFor[Pipeline]()),
			"propertyNames": names,
		}
	case reflect.TypeFor[Definition]():
		return object{"type": "object", "minProperties": 1, "additionalProperties": kindsSchema(s, s.Sinks), "propertyNames": names}
	case reflect.TypeFor[Source]():
		return kindsSchema(s, s.Sources)
	case reflect.TypeFor[Sink]():
		return kindsSchema(s, s.Sinks)
	case reflect.TypeFor[[]Transform]():
		return object{"type": "array", "items": kindsSchema(s, s.Transforms)}
	}
	switch {
	case isGroup(t):
		return s.group(t)
	case t.Kind() == reflect.Slice && isGroup(t.Elem()):
		return object{"type": "array", "items": s.group(t.Elem())}
	case t.Kind() == reflect.Slice:
		one := s.value(o, t.Elem())
		return object{"anyOf": []object{one, {"type": "array", "items": one}}}
	}
	return scalarSchema(o, t)
}

// kindsSchema describes a stage: one key of its kinds, or the name of a kind.
func kindsSchema[K any](s schemer, table map[string]func() K) object {
	properties := object{}
	for name, options := range table {
		properties[name] = s.group(reflect.TypeOf(options()).Elem())
	}
	return object{"anyOf": []object{
		{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
		{"enum": slices.Sorted(maps.Keys(table))},
	}}
}

// scalarSchema describes one value.
func scalarSchema(o option, t reflect.Type) object {
	out := object{}
	switch {
	case t == reflect.TypeFor[unit.Bytes]():
		return object{"anyOf": []object{{"type": "string", "pattern": `^\s*[0-9.]+\s*([KMGT]i?B|B)?\s*$`}, {"type": "integer", "minimum": 0}, variables}}
	case t == reflect.TypeFor[unit.Duration]():
		return object{"anyOf": []object{{"type": "string", "pattern": `^\s*([0-9.]+(ns|us|µs|ms|s|m|h))+\s*$`}, {"const": 0}, variables}}
	case t == reflect.TypeFor[unit.Share]():
		return object{"anyOf": []object{{"type": "string", "pattern": `^\s*([0-9]+|[0-9.]+\s*%)\s*$`}, {"type": "integer", "minimum": 0}, variables}}
	case t.Kind() == reflect.Bool:
		out["type"] = "boolean"
	case isNumber(t):
		out["type"] = "integer"
		for key, text := range map[string]string{"minimum": o.min, "maximum": o.max} {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				out[key] = n
			}
		}
	case len(o.enum) > 0:
		out["enum"] = o.enum
	default:
		return object{"type": "string"}
	}
	return object{"anyOf": []object{out, variables}}
}
