package letters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/itchyny/gojq"
)

// Query is an expression of jq. Numbers that it only hands on stay as they are
// written; the keys of objects come out sorted.
type Query struct{ code *gojq.Code }

// ParseQuery reads an expression.
func ParseQuery(text string) (*Query, error) {
	q, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(q)
	if err != nil {
		return nil, err
	}
	return &Query{code}, nil
}

// holds says whether the expression gives something else than false and null
// for a letter.
func (q *Query) holds(ctx context.Context, l *Letter, line []byte) (bool, error) {
	v, err := value(line)
	if err != nil {
		return false, err
	}
	if m, ok := v.(map[string]any); ok && l.Record != nil {
		if record, err := value([]byte(*l.Record)); err == nil {
			m["record"] = record
		}
	}
	out, ok := q.code.RunWithContext(ctx, v).Next()
	if err, failed := out.(error); failed {
		return false, fmt.Errorf("letter %v: %w", l.ID(), err)
	}
	return ok && out != nil && out != false, nil
}

// edit gives what the expression makes of a record: any number of lines.
func (q *Query) edit(ctx context.Context, record []byte) (lines [][]byte, err error) {
	v, err := value(record)
	if err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	for outputs := q.code.RunWithContext(ctx, v); ; {
		out, ok := outputs.Next()
		if !ok {
			return lines, nil
		}
		if err, failed := out.(error); failed {
			return nil, fmt.Errorf("edit: %w", err)
		}
		line, err := gojq.Marshal(out)
		if err != nil {
			return nil, fmt.Errorf("edit: %w", err)
		}
		lines = append(lines, append(line, '\n'))
	}
}

// value reads the one JSON value of a text.
func value(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}
