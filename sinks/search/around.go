package search

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Around is what happens to indices before the first record is written to them,
// and after the last one.
type Around struct {
	Create       Create        `yaml:"create" doc:"What indices are made from that do not exist; without it the engine makes them when the first record comes, from its templates and from what it finds in records."`
	Backfill     bool          `yaml:"backfill" doc:"Whether each index has refresh_interval -1 and number_of_replicas 0 while it is loaded. What it had before is in the state, and is put back when the pass is complete, when the run fails or is stopped, and by the next run if the process was killed; what somebody else sets meanwhile stays. Until then searches do not see what is written, and a node that is lost takes its part of the index along. With mode: new, the first pass alone."`
	WaitForGreen unit.Duration `yaml:"wait_for_green" default:"0s" doc:"How long a pass, when all is written, waits until every copy of the indices it wrote to is there; if that takes longer it is an error, and the next run goes on waiting. 0s is not at all."`
	Alias        string        `yaml:"alias" doc:"Alias that stands for the indices that a pass wrote to, and for no others, from the moment that the pass is complete: switched in one step, after wait_for_green. A pass that wrote nothing leaves it as it is. With mode: new, the first pass alone."`
}

// Create is what a missing index is made from.
type Create struct {
	Metadata bool   `yaml:"metadata" doc:"Its _index.json, which the source gives: an opensearch source that takes indices, or an s3 or file source, below whose prefix or directory the documents are (see take). Every index that has one is made, also if it has no data; one that has data and no document is made from file, or an error. The last directory of the key names the index; under another name it is made without its aliases."`
	File     string `yaml:"file" doc:"A file with the JSON of settings, mappings and aliases, for all of them; with metadata, for those that have no document."`
}

// problems checks the options.
func (a *Around) problems(index string) (list []kind.Problem) {
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	switch {
	case a.Alias == "":
	case checkName([]byte(a.Alias)) != sound:
		add("alias", fmt.Sprintf("%q is not a name", a.Alias))
	case a.Alias == index:
		add("alias", "records are written to an index, and the alias is switched to it: they cannot have one name")
	}
	return list
}

// Makes implements kind.Maker.
func (c *Config) Makes() bool { return c.Create.Metadata }

// around makes, changes and shows the indices of one pass.
type around struct {
	*Sink
	store pipeline.Store
	once  bool   // what is for the first of passes that follow each other is to be done
	file  []byte // the document of create.file; nil: none

	told chan struct{} // closed when all metadata was given; nil: there is none
	lost error         // why it will not be given; read it when told is closed
	left sync.Once     // for the warning that some of it is left out

	mu     sync.Mutex
	places map[string]*place
}

// place is an index that is written to, as records name it.
type place struct {
	mu    sync.Mutex
	ready bool
}

// openAround begins a pass. What an earlier run has changed, and this one would
// not change again, is put back.
func (s *Sink) openAround(ctx context.Context, p *pipeline.Pass) (*around, error) {
	a := &around{Sink: s, store: p.Store, once: !s.env.New || p.Number == 1, places: map[string]*place{}}
	for _, lane := range p.Lanes {
		if lane.Aside {
			a.told = make(chan struct{})
			if st := p.Last[lane.Name]; st.ID == lane.ID && st.Ended {
				close(a.told)
			}
		}
	}
	var err error
	if a.file, err = s.cfg.Create.document(); err != nil {
		return nil, err
	}
	if err := s.cfg.free(ctx, s.client); err != nil {
		return nil, err
	}
	if !a.changes() {
		err = a.restore(ctx)
	}
	return a, err
}

// changes says whether settings are changed while an index is loaded.
func (a *around) changes() bool { return a.cfg.Backfill && a.once }

// document reads the file, if there is one.
func (c *Create) document() ([]byte, error) {
	if c.File == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.File)
	if err == nil {
		b, err = definition(b, true)
	}
	if err != nil {
		return nil, fmt.Errorf("create: %s: %w", c.File, err)
	}
	return b, nil
}

// free is an error if the alias cannot be made because an index has its name.
func (a *Around) free(ctx context.Context, client *search.Client) error {
	if a.Alias == "" {
		return nil
	}
	list, err := client.Indices(ctx, []string{a.Alias})
	if search.NotFound(err) {
		return nil
	}
	if slices.ContainsFunc(list, func(i search.Index) bool { return i.Name == a.Alias }) {
		err = fmt.Errorf("alias %s: an index has that name", a.Alias)
	}
	return err
}

// check adds what would be done.
func (a *Around) check(ctx context.Context, client *search.Client, r *check.Report) error {
	if _, err := a.Create.document(); err != nil {
		return err
	}
	if a.Backfill {
		r.Say("settings of the indices are changed while they are loaded: refresh_interval -1, number_of_replicas 0")
	}
	if a.Alias != "" {
		r.Say("alias %s will stand for what a pass has written to, and for nothing else", a.Alias)
	}
	return a.free(ctx, client)
}

// maker says what a missing index is made by.
func (c *Create) maker() string {
	switch {
	case c.Metadata:
		return "it is made of its _index.json"
	case c.File != "":
		return "it is made of " + c.File
	}
	return "the first record creates it"
}

// prepare sees to it that an index is there, and is set up for the load, before
// anything is written to it. It is called once in each lane.
func (a *around) prepare(ctx context.Context, name string) error {
	if name == a.cfg.Alias {
		return fmt.Errorf("records name %s, the alias that is to be switched: let them name an index, or set the option index", name)
	}
	if !a.changes() && a.file == nil && !a.cfg.Create.Metadata && a.cfg.Alias == "" {
		return nil
	}
	a.mu.Lock()
	p := a.places[name]
	if p == nil {
		p = &place{}
		a.places[name] = p
	}
	a.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready {
		return nil
	}
	if err := a.setUp(ctx, name); err != nil {
		return fmt.Errorf("index %s: %w", name, err)
	}
	p.ready = true
	return nil
}

// setUp makes an index if need be, and changes its settings if that is wanted.
func (a *around) setUp(ctx context.Context, name string) error {
	list, err := a.client.Indices(ctx, []string{name})
	if search.NotFound(err) && a.cfg.Create.Metadata {
		list, err = a.described(ctx, name)
	}
	if search.NotFound(err) {
		if !possible(name) {
			return nil
		}
		list, err = a.missing(ctx, name)
	}
	switch {
	case errors.Is(err, errStream):
		pipeline.Logger(ctx).Warn("the first record makes a data stream: its settings are not changed for the load", "index", name)
		return nil
	case err != nil:
		return err
	case a.cfg.Alias != "" && slices.ContainsFunc(list, func(i search.Index) bool { return i.Name != name && !strings.HasPrefix(i.Name, streamed) }):
		return fmt.Errorf("it is an alias, which no other alias can stand for: let records name an index, or set the option index")
	case !a.changes():
		return nil
	case len(list) != 1:
		pipeline.Logger(ctx).Warn("a name stands for several indices: their settings are not changed for the load", "name", name, "indices", len(list))
		return nil
	}
	return a.hush(ctx, list[0])
}

// streamed begins the names of the indices of data streams.
const streamed = ".ds-"

// possible says whether an index can have a name. Where none can, the engine
// refuses each record.
func possible(name string) bool {
	return name == strings.ToLower(name) && !strings.Contains(name, ":") && len(name) <= 255
}
