package letters

import (
	"context"
	"fmt"

	"sluice/internal/jq"
)

// chosen says whether an expression holds for a letter, whose record is an
// object if it is JSON.
func (l *Letter) chosen(ctx context.Context, where *jq.Program, line []byte) (bool, error) {
	v, err := jq.Decode(line)
	if err != nil {
		return false, fmt.Errorf("letter %v: %w", l.ID(), err)
	}
	if m, ok := v.(map[string]any); ok && l.Record != nil {
		if record, err := jq.Decode([]byte(*l.Record)); err == nil {
			m["record"] = record
		}
	}
	is, err := where.Holds(ctx, v)
	if err != nil {
		return false, fmt.Errorf("letter %v: %w", l.ID(), err)
	}
	return is, nil
}

// edited gives what an expression makes of a record: any number of lines.
func edited(ctx context.Context, edit *jq.Program, record []byte) (lines [][]byte, err error) {
	v, err := jq.Decode(record)
	if err == nil {
		err = edit.Run(ctx, v, func(out any) error {
			line, err := jq.Object(out)
			lines = append(lines, append(line, '\n'))
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	return lines, nil
}
