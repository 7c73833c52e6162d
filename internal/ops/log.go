package ops

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes lines of text or JSON to out, from
// level on.
func NewLogger(out io.Writer, json bool, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}
