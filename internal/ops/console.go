package ops

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Console is the standard error of the process: logs, and a summary at the
// end; on a terminal also bars, which stay below what is written.
type Console struct {
	// Terminal says that bars can be drawn.
	Terminal bool
	// Color says that colours are welcome.
	Color bool

	fine bool // it has more characters than those of ASCII
	fd   int

	mu   sync.Mutex
	out  io.Writer
	bars []string // the rows that stand below what is written
}

// NewConsole returns the console that is f. TERM=dumb makes it no terminal,
// and NO_COLOR, if it is set to anything, has no colours (no-color.org).
func NewConsole(f *os.File, env func(string) string) *Console {
	fd := int(f.Fd())
	terminal := term.IsTerminal(fd) && env("TERM") != "dumb"
	return &Console{Terminal: terminal, Color: terminal && env("NO_COLOR") == "", fine: utf8Locale(env), fd: fd, out: f}
}

// utf8Locale says whether the locale of an environment has UTF-8.
func utf8Locale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(env(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// Size is how many columns and rows the terminal has now; 80 and 24 where
// nobody knows.
func (c *Console) Size() (width, height int) {
	width, height, err := term.GetSize(c.fd)
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Write writes whole lines, above the bars.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bars) == 0 {
		return c.out.Write(p)
	}
	if err := c.print(string(p), c.bars); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show puts other rows in the place of the bars.
func (c *Console) show(rows []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.print("", rows)
}

// The sequences of a terminal: it wraps rows that are too long, or cuts them.
const (
	cuts  = "\x1b[?7l"
	wraps = "\x1b[?7h"
)

// print removes the bars, writes text, and rows below it, in one write: a
// terminal shows nothing between.
func (c *Console) print(text string, rows []string) error {
	var b strings.Builder
	if n := len(c.bars); n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", n)
	}
	b.WriteString(text)
	if len(rows) > 0 {
		b.WriteString(cuts + strings.Join(rows, "\n") + "\n" + wraps)
	}
	c.bars = rows
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(c.out, b.String())
	return err
}
