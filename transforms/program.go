package transforms

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

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Why a program does not take a record, or its result.
var (
	errNotUTF8 = errors.New("the record is not UTF-8, which jq would change")
	errHalf    = errors.New("the record has a half of a surrogate pair, which jq would change")
	errJSON    = errors.New("the record is not one JSON value")
	errNumber  = errors.New("jq gives a number that JSON has not (infinite or NaN)")
	errTooMuch = errors.New("jq gives more than max_record")
	errTime    = fmt.Errorf("jq takes longer than %v", jqTime)
)

// program is an expression of jq. It is safe for concurrent use.
type program struct {
	*gojq.Code
	max   int
	large chan struct{} // holds one while a large record is decoded
}

func newProgram(expr string, most int) (*program, error) {
	q, err := gojq.Parse(expr)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"now", "localtime", "strflocaltime"} {
		if calls(reflect.ValueOf(q), name) {
			return nil, fmt.Errorf("%s is not for records: the same record must give the same each time", name)
		}
	}
	code, err := gojq.Compile(q)
	if err != nil {
		return nil, err
	}
	return &program{code, most, make(chan struct{}, 1)}, nil
}

func jqProblems(option, expr string) []kind.Problem {
	if _, err := newProgram(expr, maxJQ); err != nil {
		return []kind.Problem{{Option: option, Message: "this is no expression of jq: " + err.Error()}}
	}
	return nil
}

// calls reports whether a part of an expression calls a function.
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

// run gives what the program makes of a record to yield, whose error ends it.
func (p *program) run(ctx context.Context, rec []byte, yield func(any) error) error {
	if len(rec) > p.max {
		return fmt.Errorf("the record is longer than jq may have it (%v)", unit.Bytes(p.max))
	}
	if len(rec) > jqSmall {
		select {
		case p.large <- struct{}{}:
			defer func() { <-p.large }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	in, err := decode(rec)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, jqTime, errTime)
	defer cancel()
	for iter := p.RunWithContext(ctx, in); ; {
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

// truth reports whether the first result of the program is neither false nor
// null.
func (p *program) truth(ctx context.Context, rec []byte) (is bool, err error) {
	err = p.run(ctx, rec, func(v any) error {
		is = v != nil && v != false
		return errFirst
	})
	if err == errFirst {
		err = nil
	}
	return is, err
}

var errFirst = errors.New("one is enough")

// dead makes a dead letter of a record that a program failed with, unless the
// lane ends.
func dead(ctx context.Context, err error) (pipeline.Verdict, error) {
	if ctx.Err() != nil {
		return pipeline.Drop, context.Cause(ctx)
	}
	return pipeline.Dead, err
}

// decode decodes a record. Numbers stay as they are written.
func decode(rec []byte) (v any, err error) {
	switch {
	case !utf8.Valid(rec):
		return nil, errNotUTF8
	case !raw.Escapes(rec):
		return nil, errHalf
	}
	d := json.NewDecoder(bytes.NewReader(rec))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the record is not JSON: %w", err)
	}
	if raw.Blanks(rec, int(d.InputOffset())) < len(rec) {
		return nil, errJSON
	}
	return v, nil
}

// object writes a result.
func object(v any) ([]byte, error) {
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
