package letters

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"sluice/internal/crash"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// chunk is the size at which an object or a bulk request of letters ends.
const chunk = 1 << 20

// inObjects keeps letters in objects. One that has room left is put again, with
// what came, at each Sync: so there are few objects, each letter is durable when
// it has to be, and memory holds no more than one object. An object is never
// another one's: its name holds that of the process.
type inObjects struct {
	client  *objects.Client
	base    string // what the keys of the pipeline begin with
	process string // the writer that makes them, after its time

	mu      sync.Mutex
	folder  string
	number  int // of the object
	buf     bytes.Buffer
	durable int // bytes of buf that are in the store
}

func openObjects(ctx context.Context, c *S3, pipelineName string) (*Writer, error) {
	client, err := c.Client(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := client.Reach(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	process := time.Now().UTC().Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:8])
	return &Writer{pipeline: pipelineName, keeper: &inObjects{client: client, base: c.base(pipelineName), process: process}}, nil
}

func (c *S3) base(pipelineName string) string { return c.Prefix + pipelineName + "/" }

// put implements keeper.
func (w *inObjects) put(ctx context.Context, folder string, l *Letter) error {
	line, err := encode(l)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.folder != folder || w.buf.Len() > 0 && w.buf.Len()+len(line) > chunk {
		if err := w.next(ctx, folder); err != nil {
			return err
		}
	}
	w.buf.Write(line)
	return nil
}

// next begins another object.
func (w *inObjects) next(ctx context.Context, folder string) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	w.folder, w.number, w.durable = folder, w.number+1, 0
	if w.buf.Reset(); w.buf.Cap() > 2*chunk {
		w.buf = bytes.Buffer{}
	}
	return nil
}

// Sync implements keeper.
func (w *inObjects) Sync(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sync(ctx)
}

func (w *inObjects) sync(ctx context.Context) error {
	if w.buf.Len() == w.durable {
		return nil
	}
	key := fmt.Sprintf("%s%s/%s-%06d%s", w.base, w.folder, w.process, w.number, ndjson)
	if err := w.client.Put(ctx, objects.New{Key: key, ContentType: "application/x-ndjson"}, w.buf.Bytes()); err != nil {
		return err
	}
	w.durable = w.buf.Len()
	crash.Point(crash.AfterDeadLetter)
	return nil
}

// Close implements keeper.
func (w *inObjects) Close() error {
	defer w.client.Close()
	return w.Sync(context.Background())
}

// readObjects gives the lines of the objects of a pipeline.
func readObjects(ctx context.Context, c *S3, pipelineName string, yield func(line []byte) error) error {
	client, err := c.Client(ctx, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.List(ctx, c.base(pipelineName), "", func(o objects.Object) error {
		folder, _, ok := strings.Cut(strings.TrimPrefix(o.Key, c.base(pipelineName)), "/")
		if !ok || number(folder) == 0 || !strings.HasSuffix(o.Key, ndjson) {
			return nil
		}
		if err := readObject(ctx, client, o, yield); err != nil {
			return fmt.Errorf("%s: %w", client.Name(o.Key), err)
		}
		return nil
	})
}

// grown is how often an object is read again that is written meanwhile.
const grown = 10

// readObject gives the lines of an object, those that it has had at some time
// more than once if it is put again meanwhile.
func readObject(ctx context.Context, client *objects.Client, o objects.Object, yield func(line []byte) error) error {
	for n := 1; ; n++ {
		err := func() error {
			r, err := client.Get(ctx, o, 0)
			if err != nil {
				return err
			}
			defer r.Close()
			return readLines(ctx, r, yield)
		}()
		if n == grown || !errors.Is(err, pipeline.ErrGone) {
			return err
		}
		now, err := client.Head(ctx, o.Key)
		if errors.Is(err, objects.ErrNotFound) { // somebody has removed it
			return nil
		}
		if err != nil {
			return err
		}
		o = now.Object
	}
}
