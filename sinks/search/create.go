package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"sluice/internal/crash"
	"sluice/internal/keys"
	"sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// errStream says that a template makes a data stream of a name, and no index.
var errStream = errors.New("a template makes a data stream of this name")

// missing makes an index that does not exist, of the file, or as the engine would.
func (a *around) missing(ctx context.Context, name string) ([]search.Index, error) {
	document := a.file
	switch {
	case document != nil:
	case a.cfg.Create.Metadata:
		return nil, fmt.Errorf("it does not exist, and the pass has no %s/%s to make it from: make the index, or give it a document and begin a new pass", name, keys.Index)
	case !a.changes():
		return nil, nil // the first record makes it
	default:
		document = []byte("{}")
	}
	err := a.client.Create(ctx, name, document)
	if e := search.AsError(err); e != nil && a.file == nil && (e.Has("data streams only") || e.Has("data stream template")) {
		return nil, errStream
	}
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	return a.client.Indices(ctx, []string{name})
}

// described waits until the source has given all metadata, and looks again.
func (a *around) described(ctx context.Context, name string) ([]search.Index, error) {
	if a.told == nil {
		return a.client.Indices(ctx, []string{name})
	}
	select {
	case <-a.told:
	case <-pipeline.Stopping(ctx):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-pipeline.Stopping(ctx): // what did not come may come in the next run
		return nil, pipeline.ErrStopped
	default:
	}
	if a.lost != nil {
		return nil, fmt.Errorf("its metadata was not read: %w", a.lost)
	}
	return a.client.Indices(ctx, []string{name})
}

// describe makes the indices that the items of the lane of metadata describe. No
// record waits for it any longer when it ends.
func (a *around) describe(ctx context.Context, in <-chan *pipeline.Item) (err error) {
	defer func() {
		if !errors.Is(err, pipeline.ErrStartOver) {
			a.lost = err
			close(a.told)
		}
	}()
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if err := a.item(ctx, it); err != nil {
			return fmt.Errorf("%s: %w", it.Key, err)
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// item makes the index that a document is about, unless it is there.
func (a *around) item(ctx context.Context, it *pipeline.Item) error {
	name := path.Base(path.Dir(it.Key))
	target := a.cfg.Target(name)
	switch {
	case it.Body == nil:
		return nil
	case path.Base(it.Key) != keys.Index:
		a.left.Do(func() {
			pipeline.Logger(ctx).Warn("nothing is made of metadata that is not about an index", "first", it.Key)
		})
		return nil
	case checkName([]byte(target)) != sound:
		pipeline.Logger(ctx).Warn("no index can have this name: none is made", "key", it.Key, "index", target)
		return nil
	}
	_, err := a.client.Indices(ctx, []string{target})
	if err == nil {
		pipeline.Logger(ctx).Debug("the index exists and stays as it is", "index", target)
	}
	if !search.NotFound(err) {
		return err
	}
	document, err := a.read(ctx, it)
	if errors.Is(err, pipeline.ErrGone) {
		return it.GiveUp(ctx, err)
	}
	if err == nil {
		document, err = definition(document, target == name && a.cfg.Alias == "")
	}
	if err == nil {
		err = a.client.Create(ctx, target, document)
	}
	if err != nil {
		return fmt.Errorf("create index %s: %w", target, err)
	}
	crash.Point(crash.AfterCreate)
	pipeline.Logger(ctx).Debug("index made", "index", target, "from", it.Key)
	return nil
}

// read gives the bytes of an item. They are valid until its Release.
func (a *around) read(ctx context.Context, it *pipeline.Item) ([]byte, error) {
	if b, ok := it.Body.(*pipeline.Block); ok {
		return b.B(), nil
	}
	body, err := it.Body.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	most := max(a.limit/2, pipeline.BlockSize) // it is some times in memory, where the lane may have two requests
	b, err := io.ReadAll(io.LimitReader(body, int64(most)+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("it is longer than %s, half a bulk request: raise bulk", unit.Bytes(most))
	}
	return b, err
}

// definition is what an index is made from: of a document the settings, mappings
// and, if they are wanted, aliases.
func definition(document []byte, aliases bool) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(document, &all); err != nil {
		return nil, fmt.Errorf("this is not the JSON of an index: %w", err)
	}
	for key := range all {
		switch key {
		case "settings", "mappings", "aliases":
		default:
			return nil, fmt.Errorf("there is %q in it; the JSON of an index has settings, mappings and aliases", key)
		}
	}
	if !aliases {
		delete(all, "aliases")
	}
	return json.Marshal(all)
}
