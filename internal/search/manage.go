package search

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// Create makes an index of a document with settings, mappings and aliases,
// which may be {}. One that is there already stays as it is.
func (c *Client) Create(ctx context.Context, index string, document []byte) error {
	err := c.Call(ctx, Request{Method: http.MethodPut, Path: Path(index), Body: document}, nil)
	if e := AsError(err); e != nil && e.Has("resource_already_exists_exception") { // maybe by a request whose reply was lost
		return nil
	}
	return err
}

// Set changes settings of an index in one step, by their flat names. nil makes
// a setting one that was never set.
func (c *Client) Set(ctx context.Context, index string, settings map[string]*string) error {
	body, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return c.Call(ctx, Request{Method: http.MethodPut, Path: Path(index) + "/_settings", Body: body}, nil)
}

// Health is how well an index is.
type Health struct {
	Status       string // green: every copy of every shard can be used; yellow: every primary; or red
	Unassigned   int    `json:"unassigned_shards"`
	Initializing int    `json:"initializing_shards"`
}

// Health asks how well an index is, or what an alias stands for.
func (c *Client) Health(ctx context.Context, index string) (h Health, err error) {
	err = c.Call(ctx, Request{
		Path: "/_cluster/health" + Path(index), Query: url.Values{"filter_path": {"status,unassigned_shards,initializing_shards"}},
	}, &h)
	return h, err
}

// aliasAction is one of the actions that a cluster carries out together.
type aliasAction struct {
	Remove *aliasOf `json:"remove,omitempty"`
	Add    *aliasOf `json:"add,omitempty"`
}

type aliasOf struct {
	Index string `json:"index"`
	Alias string `json:"alias"`
}

// Point makes an alias stand for these indices and for no others, in one step:
// no search sees both, or neither. It returns those that it stood for before.
func (c *Client) Point(ctx context.Context, alias string, indices []string) (before []string, err error) {
	var holds map[string]json.RawMessage
	err = c.Call(ctx, Request{Path: "/_alias" + Path(alias)}, &holds)
	if err != nil && !NotFound(err) {
		return nil, err
	}
	var actions []aliasAction
	if err == nil { // else the reply says in other words that there is none
		for index := range holds {
			before = append(before, index)
			if !slices.Contains(indices, index) {
				actions = append(actions, aliasAction{Remove: &aliasOf{index, alias}})
			}
		}
	}
	for _, index := range indices {
		if !slices.Contains(before, index) {
			actions = append(actions, aliasAction{Add: &aliasOf{index, alias}})
		}
	}
	slices.Sort(before)
	if len(actions) == 0 {
		return before, nil
	}
	body, err := json.Marshal(map[string]any{"actions": actions})
	if err != nil {
		return nil, err
	}
	return before, c.Call(ctx, Request{Method: http.MethodPost, Path: "/_aliases", Body: body}, nil)
}
