package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice/internal/crash"
	"sluice/internal/search"
	"sluice/pipeline"
)

// originals is the bucket of the settings that indices had before the load, by
// index. What is in it is shown when the state is (see state.Summary).
const originals = "sink.undo"

// original is a row of it.
type original struct {
	UUID     string             // of the index
	Settings map[string]*string // by flat name; nil: it was never set
}

// backfill is the settings that make a load cheap.
var backfill = map[string]string{"index.refresh_interval": "-1", "index.number_of_replicas": "0"}

// hush changes the settings of an index for the load. What is to be put back is
// durable before. A value that the load would not have given is somebody's, and
// is what is put back; one that it would have given may be an earlier run's.
func (a *around) hush(ctx context.Context, i search.Index) error {
	row, err := a.original(i)
	if err != nil {
		return err
	}
	change := map[string]*string{}
	for name, value := range backfill {
		if auto := i.Settings["index.auto_expand_replicas"]; name == "index.number_of_replicas" && auto != "" && auto != "false" {
			pipeline.Logger(ctx).Warn("the engine sets the number of replicas by itself: it is not changed for the load", "index", i.Name, "auto_expand_replicas", auto)
			continue
		}
		if now, ok := i.Settings[name]; now != value {
			change[name], row.Settings[name] = &value, nil
			if ok {
				row.Settings[name] = &now
			}
		} else if _, ours := row.Settings[name]; !ours && name == "index.refresh_interval" {
			pipeline.Logger(ctx).Warn("the index does not refresh by itself, and will not after the load", "index", i.Name)
		}
	}
	if len(change) == 0 {
		return nil
	}
	value, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if err := a.store.Put(pipeline.Row{Bucket: originals, Key: i.Name, Value: value}); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	crash.Point(crash.AfterOriginals)
	if err := a.client.Set(ctx, i.Name, change); err != nil {
		return fmt.Errorf("settings for the load: %w", err)
	}
	crash.Point(crash.AfterSettings)
	return nil
}

// original is what is known of the settings of an index, if it is still that one.
func (a *around) original(i search.Index) (row original, err error) {
	b, err := a.store.Get(originals, i.Name)
	if err == nil && b != nil {
		err = json.Unmarshal(b, &row)
	}
	if row.UUID != i.UUID {
		row = original{UUID: i.UUID}
	}
	if row.Settings == nil {
		row.Settings = map[string]*string{}
	}
	return row, err
}

// restore puts back the settings of all indices.
func (a *around) restore(ctx context.Context) error {
	rows := map[string]original{}
	err := a.store.Range(originals, "", func(index string, value []byte) error {
		var row original
		err := json.Unmarshal(value, &row)
		rows[index] = row
		return err
	})
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	var errs []error
	for index, row := range rows {
		if err := a.putBack(ctx, index, row); err != nil {
			errs = append(errs, fmt.Errorf("index %s: settings are not put back, the next run does it: %w", index, err))
		}
	}
	return errors.Join(errs...)
}

// putBack puts back the settings of an index, but for those that somebody has
// changed since.
func (a *around) putBack(ctx context.Context, index string, row original) error {
	list, err := a.client.Indices(ctx, []string{index})
	if err != nil && !search.NotFound(err) {
		return err
	}
	change := map[string]*string{}
	for _, i := range list {
		for name, value := range row.Settings {
			if i.UUID == row.UUID && i.Settings[name] == backfill[name] {
				change[name] = value
			}
		}
	}
	if len(change) > 0 {
		if err := a.client.Set(ctx, index, change); err != nil {
			return err
		}
		crash.Point(crash.AfterRestore)
	}
	return a.store.Put(pipeline.Row{Bucket: originals, Key: index})
}

// parting is how long a run that failed or was stopped tries to put settings
// back.
const parting = 10 * time.Second

// close puts back what was not, because the pass did not complete.
func (a *around) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	return a.restore(ctx)
}
