package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sluice/internal/kind"
)

// maxWorkers is how many goroutines a CPU-bound stage has at most in each
// lane: each has buffers, and several lanes share the processors.
const maxWorkers = 4

// check finds what is wrong between options.
func (d *decoder) check(f *File) {
	if f.HTTP != "" {
		if _, _, err := net.SplitHostPort(f.HTTP); err != nil {
			d.fail(d.places["http"], spot{name: "http"}, "%q is no address with a port, such as 127.0.0.1:9600", f.HTTP)
		}
	}
	if at, given := d.places["http_token"]; given && f.HTTP == "" && !d.failed["http"] {
		d.fail(at, spot{name: "http_token"}, "it is that of http, which is not given")
	}
	if f.OTLP != nil {
		for _, p := range f.OTLP.Problems() {
			option := join("otlp", p.Option)
			d.problems(stagePlace{d.near(option, d.places["otlp"]), spot{}}, kind.Problem{Option: option, Message: p.Message})
		}
	}
	if f.Metrics.GitSync && f.HTTP == "" {
		d.fail(d.places["metrics.git_sync"], spot{name: "metrics.git_sync"}, "nobody can ask for metrics: give http an address")
	}
	_, given := d.places["memory"]
	f.grows = !given
	if f.State == "" {
		d.fail(d.places["state"], spot{name: "state"}, "it must not be empty")
	}
	for _, p := range f.Pipelines {
		d.schedule(p)
		p.env = kind.Env{
			Pipeline: p.Name, MaxRecord: int64(p.MaxRecord), Every: p.Every > 0 || p.Cron != "", Transient: d.Transient,
			New: p.Mode == "new", Lanes: p.Lanes, Scratch: d.scratch(f, p.Name),
			Workers: min(maxWorkers, (d.workers()+p.Lanes-1)/p.Lanes),
		}
		d.limits(f, p)
		d.stages(p)
	}
}

// scratch is beside the state, where there is room; without one, where all
// temporary files are.
func (o Options) scratch(f *File, name string) string {
	if o.Transient {
		return filepath.Join(os.TempDir(), "sluice-"+name)
	}
	return filepath.Join(f.State, name+".scratch")
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// limits checks the options of a pipeline itself.
func (d *decoder) limits(f *File, p *Pipeline) {
	s := spot{base: join("pipelines", p.Name)}
	if at := s.in("max_record"); p.MaxRecord > f.Memory/4 && !d.failed["memory"] && !d.failed[at.path()] {
		where, given := d.places[at.path()]
		if !given {
			where = d.near("memory", d.places[s.path()])
		}
		d.fail(where, at, "%v is more than a quarter of memory (%v); set max_record to %v or less, or memory to %v",
			p.MaxRecord, f.Memory, (f.Memory/4)>>20<<20, 4*p.MaxRecord)
	}
	if at := s.in("on_error"); p.OnError == "dead_letter" && p.DeadLetters == nil {
		d.fail(d.places[at.path()], at, "dead_letter needs a place for them: dead_letters: {file: {path: ./dead}}")
	}
	if p.DeadLetters != nil {
		for _, problem := range p.DeadLetters.Problems() {
			problem.Option = join("dead_letters", problem.Option)
			d.problems(stagePlace{d.places[s.in("dead_letters").path()], s}, problem)
		}
	}
}

// stages lets the kinds check their options, and compares what each stage
// gives with what the next one takes.
func (d *decoder) stages(p *Pipeline) {
	p.env.Transforms = p.transforms()
	if p.Source.Kind != "" {
		p.env.Source = identity(p.Source.Kind, p.Source.Options.Identity())
	}
	if v, ok := p.Sink.Options.(kind.Versioned); ok {
		p.env.Versions = v.Versioned()
	}
	if r, ok := p.Source.Options.(kind.Repeater); ok {
		p.env.Repeats = r.Repeats()
	}
	if m, ok := p.Sink.Options.(kind.Maker); ok {
		p.env.Makes = m.Makes()
	}
	if s, ok := p.Sink.Options.(kind.Selective); ok {
		p.env.Selects = s.Selects()
	}
	p.env.Target, _ = p.Sink.Options.(kind.Lister)
	if s, ok := p.Source.Options.(kind.Scatterer); ok {
		p.env.Scattered = s.Scatters(p.env.Target != nil && p.env.Target.Target("a") == p.env.Target.Target("b"))
	}
	for _, t := range p.Transforms {
		if _, ok := t.Options.(kind.Mover); ok && p.env.Moves == "" {
			p.env.Moves = t.Kind
		}
	}
	if _, ok := p.Source.Options.(kind.News); !ok && p.env.New && p.Source.Kind != "" {
		at := spot{base: join("pipelines", p.Name)}.in("mode")
		d.fail(d.places[at.path()], at, "new: a source of kind %s takes everything in each pass; leave mode out", p.Source.Kind)
	}
	known := p.Source.Kind != "" && p.Sink.Kind != ""
	var form kind.Form
	if p.Source.Kind != "" {
		d.problems(p.Source.place(), p.Source.Options.Problems(p.env)...)
		d.sole(p)
		form = p.Source.Options.Gives()
	}
	for _, t := range p.Transforms {
		if t.Kind == "" {
			known = false
			continue
		}
		d.problems(t.place(), t.Options.Problems(p.env)...)
		if !known || form == kind.Metadata {
			continue
		}
		out, problem := t.Options.Form(form)
		if problem != nil {
			d.problems(t.place(), *problem)
			known = false
		}
		form = out
	}
	if p.Sink.Kind == "" {
		return
	}
	d.problems(p.Sink.place(), p.Sink.Options.Problems(p.env)...)
	d.mirror(p)
	if !known {
		return
	}
	problem := p.Sink.Options.Takes(form)
	if s, ok := p.Source.Options.(kind.Describer); ok && problem == nil && s.Describes() {
		problem = p.Sink.Options.Takes(kind.Metadata)
	}
	if problem != nil {
		d.problems(p.Sink.place(), *problem)
	}
}

// mirror refuses a mirror of what a source loses by being read.
func (d *decoder) mirror(p *Pipeline) {
	m, ok := p.Sink.Options.(kind.Mirror)
	if c, consumer := p.Source.Options.(kind.Consumer); ok && consumer && m.Mirrors() && c.Consumes() {
		d.problems(p.Sink.place(), kind.Problem{Option: "mirror", Message: "what was delivered leaves the source, and the next pass would delete it here, too"})
	}
}

// stagePlace is where a stage stands, and its path.
type stagePlace struct {
	at   place
	spot spot
}

func (s Stage[K]) place() stagePlace { return stagePlace{s.at, s.spot} }

// problems reports what a kind says of its options, unless that option is
// known to be wrong already.
func (d *decoder) problems(s stagePlace, problems ...kind.Problem) {
	for _, p := range problems {
		at := s.spot
		if p.Option != "" {
			at = at.stage().in(p.Option)
		}
		if d.failed[at.path()] && p.Option != "" {
			continue
		}
		d.fail(d.near(at.path(), s.at), at, "%s", p.Message)
	}
}

// near is where an option stands, or what holds it, or else where.
func (d *decoder) near(path string, otherwise place) place {
	for path != "" {
		if at, ok := d.places[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
	return otherwise
}

// Identity names what the state of the pipeline depends on, under source,
// transforms and sink. A state made under another identity is not gone on
// with. It has no secrets and may be shown.
func (p *Pipeline) Identity() map[string]string {
	return map[string]string{
		"source":     identity(p.Source.Kind, p.Source.Options.Identity()),
		"transforms": p.transforms(),
		"sink":       identity(p.Sink.Kind, p.Sink.Options.Identity()),
	}
}

func (p *Pipeline) transforms() string {
	var all []string
	for _, t := range p.Transforms {
		if t.Kind != "" {
			all = append(all, identity(t.Kind, t.Options.Identity()))
		}
	}
	return strings.Join(all, ", ")
}

// DryRun makes the pipeline one that changes nothing at its sink: say is told
// what would become of each object there, from several goroutines. The error
// says why it cannot be.
func (p *Pipeline) DryRun(say func(kind.Change)) error {
	p.env.DryRun = say
	if m, ok := p.Sink.Options.(kind.Mirror); !ok || !m.Mirrors() {
		return fmt.Errorf("pipeline %s: a dry run is of a sink that mirrors (mirror: true); this one is not", p.Name)
	}
	return nil
}

// Warnings says what of the options of its stages a user may not have meant.
func (p *Pipeline) Warnings() (all []string) {
	add := func(side, kindName string, options any) {
		if w, ok := options.(kind.Warner); ok {
			for _, text := range w.Warnings() {
				all = append(all, side+" "+kindName+": "+text)
			}
		}
	}
	add("source", p.Source.Kind, p.Source.Options)
	for _, t := range p.Transforms {
		add("transform", t.Kind, t.Options)
	}
	add("sink", p.Sink.Kind, p.Sink.Options)
	return all
}

// Notes says what passes leave out as they are configured.
func (p *Pipeline) Notes() []string {
	if n, ok := p.Source.Options.(kind.Noter); ok {
		return n.Notes(p.env)
	}
	return nil
}

// identity begins with the kind.
func identity(kind, id string) string {
	if strings.HasPrefix(id, kind) {
		return id
	}
	return strings.TrimSpace(kind + " " + id)
}
