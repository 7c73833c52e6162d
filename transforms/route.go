package transforms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/pipeline"
)

// Route is the options of the transform that says to which index a record
// belongs.
type Route struct {
	ofRecords
	Rules []Rule `yaml:"rules" required:"true" doc:"They are tried in this order, and the first whose conditions hold gives the record its _index; without one it stays as it is. A document alone gets an envelope. Keys of objects and files do not depend on it."`
}

// Rule is a name of an index, and for which records it is.
type Rule struct {
	Where []Condition `yaml:"where" doc:"What must hold: all of this."`
	Any   []Condition `yaml:"any" doc:"At least one of these must hold, too."`
	Index string      `yaml:"index" required:"true" doc:"Name of the index, with the fields {index}, which is what it was, {user.name} of the document, and {@timestamp:2006.01.02}, a date in UTC. They are written in small letters; a record without them is a dead letter."`
}

// Problems implements [kind.Transform].
func (c *Route) Problems(kind.Env) (all []kind.Problem) {
	if len(c.Rules) == 0 {
		all = append(all, kind.Problem{Option: "rules", Message: "it must not be empty"})
	}
	for i, r := range c.Rules {
		at := fmt.Sprintf("rules.%d", i)
		all = append(all, conditionProblems(at+".where", r.Where)...)
		all = append(all, conditionProblems(at+".any", r.Any)...)
		if len(r.Where)+len(r.Any) > maxFields {
			all = append(all, kind.Problem{Option: at, Message: fmt.Sprintf("there are more than %d conditions", maxFields)})
		}
		if _, err := newTemplate(r.Index); err != nil {
			all = append(all, kind.Problem{Option: at + ".index", Message: err.Error()})
		}
		if len(r.Where)+len(r.Any) == 0 && i < len(c.Rules)-1 {
			all = append(all, kind.Problem{Option: at, Message: "it has no conditions, so the rules behind it are never tried; put it last"})
		}
	}
	return all
}

// Identity implements [kind.Transform].
func (c *Route) Identity() string {
	var all []string
	for _, r := range c.Rules {
		all = append(all, "to "+r.Index+conditionsText(" where ", r.Where)+conditionsText(" any ", r.Any))
	}
	return "route " + strings.Join(all, ", ")
}

// Moves implements [kind.Mover].
func (c *Route) Moves() {}

// Edit implements [kind.Editor].
func (c *Route) Edit(kind.Env) (pipeline.Edit, error) {
	var rules router
	for _, r := range c.Rules {
		holds, err := newConditions(r.Where, r.Any)
		if err != nil {
			return nil, err
		}
		name, err := newTemplate(r.Index)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{holds, name})
	}
	return rules.edit, nil
}

// Build implements [kind.Transform].
func (c *Route) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }

// router is the rules of a transform.
type router []rule

type rule struct {
	*conditions
	name *template
}

// edit implements [pipeline.Edit].
func (r router) edit(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	d, err := locate(rec)
	if err != nil {
		return pipeline.Dead, err
	}
	for _, rule := range r {
		if d.shape == deletion && (rule.document.all != 0 || rule.name.document.all != 0) {
			return pipeline.Dead, errDeletion
		}
		holds, err := rule.hold(rec, &d)
		if err != nil {
			return pipeline.Dead, err
		}
		if !holds {
			continue
		}
		var buf [maxIndex + 1]byte
		name, err := rule.name.render(buf[:0], rec, &d)
		if err != nil {
			return pipeline.Dead, err
		}
		return send(rec, &d, name, dst)
	}
	dst.Write(rec)
	return pipeline.Keep, nil
}

var errDeletion = errors.New("the record is a delete of a _bulk file: it has no fields that say to which index it belongs")

// send writes the record with another _index.
func send(rec []byte, d *document, name []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	if d.shape == bare {
		dst.Write([]byte(`{"_index":"`))
		dst.Write(name)
		dst.Write([]byte(`","_source":`))
		dst.Write(bytes.TrimRight(rec[d.at:], " \t\r\n"))
		dst.Write([]byte("}\n"))
		return pipeline.Keep, nil
	}
	begin := len(dst.B())
	from, found, n := 0, false, 0
	l := raw.At(rec, d.meta)
	for ; l.Next(); n++ {
		if l.Skip(); l.End < 0 || !isIndex(l.Key) {
			continue
		}
		dst.Write(rec[from:l.Value])
		dst.Write([]byte{'"'})
		dst.Write(name)
		dst.Write([]byte{'"'})
		from, found = l.End, true
	}
	if l.Close() < 0 {
		dst.Truncate(begin)
		return pipeline.Dead, errNoObject
	}
	if !found {
		from = d.meta + 1
		dst.Write(rec[:from])
		dst.Write([]byte(`"_index":"`))
		dst.Write(name)
		dst.Write([]byte(`",`)[:min(2, 1+n)])
	}
	dst.Write(rec[from:])
	return pipeline.Keep, nil
}

func isIndex(key []byte) bool {
	var buf [64]byte
	text, ok := raw.Unescaped(buf[:0], key)
	return ok && string(text) == "_index"
}
