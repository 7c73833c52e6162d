package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// setText sets a scalar from its text.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
		return nil
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
		return nil
	}
	panic("config: an option cannot be a " + v.Type().String())
}

// number reports whether the option is a plain whole number.
func isNumber(t reflect.Type) bool {
	return !isText(t) && (t.Kind() == reflect.Int || t.Kind() == reflect.Int64)
}

// reading is an error if YAML takes the scalar for something that the type is
// not: only who wrote it knows which one is meant.
func reading(n *node, t reflect.Type) error {
	wants := asText
	switch {
	case t.Kind() == reflect.Bool:
		wants = asBool
	case isNumber(t):
		wants = asNumber
	}
	switch {
	case n.as == asAny || n.as == wants:
		return nil
	case n.as == asNumber && isText(t) && t.Kind() == reflect.Int64: // sizes and durations: a bare number
		return nil
	case wants == asNumber:
		return fmt.Errorf("a whole number is expected, without quotes")
	case wants == asBool:
		return fmt.Errorf("true or false is expected, without quotes")
	case n.as == asNumber:
		return errors.New("this is a number where text is expected; put it in quotes")
	}
	return errors.New("this is true or false where text is expected; put it in quotes")
}

// bounds checks what tags say of a value.
func bounds(o option, v reflect.Value) error {
	if len(o.enum) > 0 && !slices.Contains(o.enum, v.String()) {
		return fmt.Errorf("%q is not one of %s", v.String(), strings.Join(o.enum, ", "))
	}
	if o.required && v.Kind() == reflect.String && v.Len() == 0 {
		return errors.New("it must not be empty")
	}
	for _, b := range []struct {
		text, is string
		sign     int64
	}{{o.min, "small; the least is", -1}, {o.max, "large; the most is", 1}} {
		if b.text == "" {
			continue
		}
		limit := reflect.New(v.Type()).Elem()
		if err := setText(limit, b.text); err != nil {
			panic("config: bound of " + o.name + ": " + err.Error())
		}
		if (b.sign < 0 && v.Int() < limit.Int()) || (b.sign > 0 && v.Int() > limit.Int()) {
			return fmt.Errorf("%v is too %s %s", v.Interface(), b.is, b.text)
		}
	}
	return nil
}

// expand fills in ${NAME} and ${NAME:-default}; $$ is a dollar.
func expand(text string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
			continue
		case !strings.HasPrefix(rest, "{"):
			return "", errors.New("write $$ for a dollar and ${NAME} for a variable")
		}
		inside, after, closed := strings.Cut(rest[1:], "}")
		if !closed {
			return "", errors.New("the } of a ${ is missing; write $$ for a dollar")
		}
		value, err := variable(inside, env)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = after
	}
}

// variable gives the value of what stands inside ${}.
func variable(inside string, env func(string) (string, bool)) (string, error) {
	name, def, hasDefault := strings.Cut(inside, ":-")
	if !isVariable(name) {
		return "", errors.New("between ${ and } stands no name of a variable; write $$ for a dollar")
	}
	value, ok := env(name)
	switch {
	case ok && (value != "" || !hasDefault):
		return value, nil
	case hasDefault:
		return def, nil
	}
	return "", fmt.Errorf("the environment has no variable %s; set it, or write ${%s:-default}", name, name)
}

func isVariable(name string) bool {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
