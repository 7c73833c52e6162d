package file

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice/pipeline"
)

// Stdin is a source of one lane with one item, which can be read once: for
// pipelines without a state alone.
type Stdin struct {
	In *os.File
}

// Need implements [pipeline.Sized].
func (*Stdin) Need() (lane, shared int64) { return 0, 0 }

// Open implements [pipeline.Source].
func (s *Stdin) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) {
	return &stdin{in: s.In}, nil
}

type stdin struct {
	in     *os.File
	opened bool
}

// Plan implements [pipeline.Reader].
func (*stdin) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "stdin", ID: "standard input", Parts: 1}}, nil
}

// Read implements [pipeline.Reader].
func (r *stdin) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	if from != (pipeline.Position{}) {
		return errors.New("standard input cannot be read again")
	}
	return pipeline.Send(ctx, out, &pipeline.Item{
		Key: "stdin", Pos: pipeline.Position{Token: "end"}, Size: -1, Records: -1, Body: pipeline.BodyFunc(r.open),
	})
}

// open is called by one stage at a time.
func (r *stdin) open(ctx context.Context) (io.ReadCloser, error) {
	if r.opened {
		return nil, errors.New("standard input cannot be read again")
	}
	r.opened = true
	return &waiting{ctx, r.in}, nil
}

// Close implements [pipeline.Reader].
func (*stdin) Close() error { return nil }

// waiting reads a file that may have nothing for a long time, and ends when
// the run does.
type waiting struct {
	ctx context.Context // of the one who opened it, for as long as it is open
	in  *os.File
}

// patience is how long, in milliseconds, a read waits before it looks whether
// the run goes on.
const patience = 100

// Read implements [io.Reader].
func (w *waiting) Read(p []byte) (int, error) {
	for {
		select {
		case <-pipeline.Stopping(w.ctx):
			return 0, pipeline.ErrStopped
		case <-w.ctx.Done():
			return 0, context.Cause(w.ctx)
		default:
		}
		ready, err := poll(w.in)
		if err != nil {
			return 0, err
		}
		if ready {
			return w.in.Read(p)
		}
	}
}

// poll waits until there is something to read, or an end, or patience is over.
func poll(f *os.File) (ready bool, err error) {
	fd := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fd, patience)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, err
}

// Close implements [io.Closer].
func (*waiting) Close() error { return nil }
