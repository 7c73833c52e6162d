// Package jq runs expressions of jq over JSON. Numbers that an expression only
// hands on stay as they are written, 1.0 and 9007199254740993 and 1e400 too;
// what it computes are integers of any size, or float64. Objects come out with
// their keys sorted; of equal keys, the last one counts.
package jq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"sluice/internal/raw"
)

// Program is an expression of jq. It is safe for concurrent use.
type Program struct {
	query *gojq.Query
	code  *gojq.Code
}

// Parse reads an expression.
func Parse(expr string) (*Program, error) {
	q, err := gojq.Parse(expr)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(q)
	if err != nil {
		return nil, err
	}
	return &Program{q, code}, nil
}

// Run gives what the program makes of a value to yield, whose error ends it, as
// does the end of ctx.
func (p *Program) Run(ctx context.Context, in any, yield func(any) error) error {
	for iter := p.code.RunWithContext(ctx, in); ; {
		v, ok := iter.Next()
		if !ok {
			return nil
		}
		err, failed := v.(error)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case failed:
			return fmt.Errorf("jq: %w", err)
		}
		if err := yield(v); err != nil {
			return err
		}
	}
}

var errFirst = errors.New("one is enough")

// Holds reports whether the first result of the program is neither false nor
// null.
func (p *Program) Holds(ctx context.Context, in any) (is bool, err error) {
	err = p.Run(ctx, in, func(v any) error {
		is = v != nil && v != false
		return errFirst
	})
	if err == errFirst {
		err = nil
	}
	return is, err
}

// Calls reports whether the program calls a function of a name, anywhere.
func (p *Program) Calls(name string) bool { return calls(reflect.ValueOf(p.query), name) }

func calls(v reflect.Value, name string) bool {
	switch v.Kind() {
	case reflect.Pointer:
		f, ok := v.Interface().(*gojq.Func)
		return !v.IsNil() && (ok && f.Name == name || calls(v.Elem(), name))
	case reflect.Struct:
		for _, f := range v.Fields() {
			if calls(f, name) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if calls(v.Index(i), name) {
				return true
			}
		}
	}
	return false
}

// Why a text cannot be the input of a program, or a value not its result.
var (
	errNotUTF8 = errors.New("it is not UTF-8, which jq would change")
	errHalf    = errors.New("it has a half of a surrogate pair, which jq would change")
	errMore    = errors.New("it is more than one JSON value")
	errNumber  = errors.New("jq gives a number that JSON has not (infinite or NaN)")
)

// Decode decodes the one JSON value of a text, for Run.
func Decode(text []byte) (v any, err error) {
	switch {
	case !utf8.Valid(text):
		return nil, errNotUTF8
	case !raw.Escapes(text):
		return nil, errHalf
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if raw.Blanks(text, int(d.InputOffset())) < len(text) {
		return nil, errMore
	}
	return v, nil
}

// Object encodes a result, which has to be an object.
func Object(v any) ([]byte, error) {
	if _, ok := v.(map[string]any); !ok {
		return nil, fmt.Errorf("jq gives %s, and a record is an object", gojq.TypeOf(v))
	}
	if !finite(v) {
		return nil, errNumber
	}
	return gojq.Marshal(v)
}

// finite reports whether every number in v is one.
func finite(v any) bool {
	switch v := v.(type) {
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case []any:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	case map[string]any:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	}
	return true
}
