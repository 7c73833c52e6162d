package ops

import (
	"io"
	"os"
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

	mu    sync.Mutex
	out   io.Writer
	above io.Writer // writes above the bars; nil if there are none
}

// NewConsole returns the console that is f. TERM=dumb makes it no terminal,
// and NO_COLOR, if it is set to anything, has no colours (no-color.org).
func NewConsole(f *os.File, env func(string) string) *Console {
	terminal := term.IsTerminal(int(f.Fd())) && env("TERM") != "dumb"
	return &Console{Terminal: terminal, Color: terminal && env("NO_COLOR") == "", out: f}
}

// Write writes whole lines.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.above != nil {
		if n, err := c.above.Write(p); err == nil {
			return n, nil
		}
	}
	return c.out.Write(p)
}

func (c *Console) setAbove(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above = w
}
