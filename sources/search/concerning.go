package search

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// concerning finds what of the cluster concerns the indices, in the order of
// the lane and as far as it is to be taken:
//
//   - the data streams that they belong to;
//   - the index templates, and legacy ones, whose patterns match the name of
//     one of the indices or of its data stream, whether or not another one
//     takes precedence;
//   - the component templates that these are composed of;
//   - the ingest pipelines that are default or final ones of the indices, and
//     of the templates that are taken. What a pipeline calls is not looked for.
func (r *reader) concerning(ctx context.Context, s subject) (list []reference, err error) {
	var names []string // that patterns are compared with
	var streams []string
	if r.config.takes(takeStreams) || r.config.takes(takeTemplates) {
		if streams, names, err = r.streams(ctx, s.Indices); err != nil {
			return nil, err
		}
	}
	var t templates
	if r.config.takes(takeTemplates) {
		if t, err = r.templates(ctx, names); err != nil {
			return nil, err
		}
	}
	for n, names := range map[int][]string{
		formStream: streams, formIndexTemplate: t.index, formLegacyTemplate: t.legacy, formComponentTemplate: t.components,
		formPipeline: real(slices.Concat(s.Pipelines, t.pipelines)),
	} {
		if !r.config.takes(forms[n].take) {
			continue
		}
		for _, name := range names {
			list = append(list, reference{n, name})
		}
	}
	slices.SortFunc(list, reference.compare)
	return list, nil
}

// streams finds the data streams of indices, and gives for each index the name
// that counts for templates: its own, or that of the data stream.
func (r *reader) streams(ctx context.Context, indices []string) (streams, names []string, err error) {
	list := make([]cluster.Index, len(indices))
	for i, name := range indices {
		list[i].Name = name
	}
	for chunk := range cluster.Chunks(list) {
		var reply map[string]struct {
			Stream string `json:"data_stream"`
		}
		err := r.client.Call(ctx, cluster.Request{
			Path: cluster.Path(chunk.Names), Query: url.Values{"filter_path": {"*.data_stream"}},
		}, &reply)
		if err != nil {
			return nil, nil, vanished(err)
		}
		for _, i := range chunk.Indices {
			name := i.Name
			if s := reply[name].Stream; s != "" {
				name = s
				streams = append(streams, s)
			}
			names = append(names, name)
		}
	}
	slices.Sort(streams)
	return slices.Compact(streams), names, nil
}

// templates are names of templates, and of the pipelines that they name.
type templates struct{ index, legacy, components, pipelines []string }

// settings is what is looked for in the settings of a template.
type settings struct {
	Index struct {
		Default string `json:"default_pipeline"`
		Final   string `json:"final_pipeline"`
	}
}

func (t *templates) calls(s settings) {
	t.pipelines = append(t.pipelines, s.Index.Default, s.Index.Final)
}

// templates lists the templates that concern names. What is asked for is small,
// whatever is in the templates.
func (r *reader) templates(ctx context.Context, names []string) (t templates, err error) {
	matches := func(patterns []string) bool {
		return slices.ContainsFunc(names, cluster.Wildcards(patterns).MatchString)
	}
	composed, err := r.indexTemplates(ctx, &t, matches)
	if err == nil {
		err = r.legacyTemplates(ctx, &t, matches)
	}
	if err == nil && len(composed) > 0 {
		err = r.componentTemplates(ctx, &t, composed)
	}
	return t, err
}

// indexTemplates adds index templates, and gives the names of their components.
func (r *reader) indexTemplates(ctx context.Context, t *templates, matches func([]string) bool) (composed map[string]bool, err error) {
	var reply struct {
		List []struct {
			Name  string
			Thing struct {
				Patterns []string `json:"index_patterns"`
				Composed []string `json:"composed_of"`
				Template struct{ Settings settings }
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	thing := "index_templates.index_template."
	err = r.client.Call(ctx, listing(formIndexTemplate, "index_templates.name", thing+"index_patterns", thing+"composed_of", thing+"template.settings.index.*_pipeline"), &reply)
	composed = map[string]bool{}
	for _, e := range reply.List {
		if !matches(e.Thing.Patterns) {
			continue
		}
		t.index = append(t.index, e.Name)
		t.calls(e.Thing.Template.Settings)
		for _, c := range e.Thing.Composed {
			composed[c] = true
		}
	}
	return composed, err
}

// legacyTemplates adds the templates from before there were index templates.
func (r *reader) legacyTemplates(ctx context.Context, t *templates, matches func([]string) bool) error {
	var reply map[string]struct {
		Patterns []string `json:"index_patterns"`
		Settings settings
	}
	err := r.client.Call(ctx, listing(formLegacyTemplate, "*.index_patterns", "*.settings.index.*_pipeline"), &reply)
	if a := cluster.AsError(err); a != nil && slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}, a.Status) {
		pipeline.Logger(ctx).Info("the engine has no legacy templates", "error", err)
		return nil
	}
	for name, e := range reply {
		if matches(e.Patterns) {
			t.legacy = append(t.legacy, name)
			t.calls(e.Settings)
		}
	}
	return err
}

// componentTemplates adds those that index templates are composed of. One may
// be named and not exist.
func (r *reader) componentTemplates(ctx context.Context, t *templates, composed map[string]bool) error {
	var reply struct {
		List []struct {
			Name  string
			Thing struct {
				Template struct{ Settings settings }
			} `json:"component_template"`
		} `json:"component_templates"`
	}
	err := r.client.Call(ctx, listing(formComponentTemplate, "component_templates.name", "component_templates.component_template.template.settings.index.*_pipeline"), &reply)
	for _, e := range reply.List {
		if composed[e.Name] {
			t.components = append(t.components, e.Name)
			t.calls(e.Thing.Template.Settings)
		}
	}
	return err
}

// listing asks for some fields of all things of a form.
func listing(form int, fields ...string) cluster.Request {
	return cluster.Request{Path: forms[form].path, Query: url.Values{"filter_path": {strings.Join(fields, ",")}}}
}
