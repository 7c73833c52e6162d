package translate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Variables are variables of an environment, by name; none is empty.
type Variables map[string]string

// Lookup gives the value of a variable.
func (v Variables) Lookup(name string) (value string, ok bool) {
	value, ok = v[name]
	return value, ok
}

// Environment takes the variables that the tool reads from an environment.
func (t *Tool) Environment(get func(name string) string) Variables {
	v := Variables{}
	for _, name := range t.Variables {
		if value := get(name); value != "" {
			v[name] = value
		}
	}
	return v
}

// ReadVariables reads lines of NAME=VALUE, as containers and shells take them.
// It gives the variables that the tool reads, and others whose names look as if
// they belonged to it. Its errors do not show the lines: there may be secrets
// in them.
func (t *Tool) ReadVariables(from io.Reader) (Variables, error) {
	v, lines := Variables{}, bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		name, value, err := assignment(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		like := slices.ContainsFunc(t.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if value != "" && (like || slices.Contains(t.Variables, name)) {
			v[name] = value
		}
	}
	return v, lines.Err()
}

// assignment reads one line.
func assignment(line string) (name, value string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
	if !ok {
		return "", "", errors.New("a line is NAME=VALUE")
	}
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return strings.TrimSpace(name), value, nil
}
