package main

import (
	"fmt"
	"strings"

	"sluice/internal/check"
	"sluice/internal/ops"
	"sluice/internal/unit"
)

// show prints what was found of a pipeline.
func (c *checking) show(f *finding) {
	c.page.line("%s", c.page.bold("pipeline "+f.Config.Name)+chain(f))
	for _, p := range f.parts {
		c.stage(p)
	}
	if t := f.read; t != nil && t.err != nil {
		c.fail("sample: "+t.err.Error(), t.err)
	}
	c.page.say("estimate", beside(f.expected.rows(f))...)
	c.page.say("memory", table(memoryRows(f, c.file.Memory))...)
	c.page.say("state", f.before.lines...)
	if len(f.before.lines) == 0 {
		c.page.line("  state")
	}
	if f.before.err != nil {
		c.fail(f.before.err.Error(), f.before.err)
	}
	for _, w := range f.warnings {
		c.page.paintedly("warning", c.page.yellow, w)
	}
}

// chain names the stages, and when passes begin.
func chain(f *finding) string {
	kinds := []string{f.Config.Source.Kind}
	for _, t := range f.Config.Transforms {
		kinds = append(kinds, t.Kind)
	}
	text := ": " + strings.Join(append(kinds, f.Config.Sink.Kind), " → ")
	switch {
	case f.Config.Cron != "":
		text += fmt.Sprintf(", at %s %s", f.Config.Cron, f.Config.TimeZone)
	case f.Config.Every > 0:
		text += fmt.Sprintf(", every %v", f.Config.Every)
	}
	return text
}

// stage prints what was found at one end.
func (c *checking) stage(p *part) {
	lines := p.Found
	if len(lines) == 0 {
		lines = []string{p.about}
	}
	c.page.say(p.name, lines...)
	var may []string
	for _, g := range p.Grants {
		if g.Err == nil {
			may = append(may, g.What)
		}
	}
	if len(may) > 0 {
		c.page.say("  may", strings.Join(may, ", "))
	}
	for _, g := range p.Grants {
		switch {
		case g.Missing():
			c.page.paintedly("  may not", c.page.red, g.What+": "+g.Err.Error())
		case g.Err != nil:
			c.page.say("  not known", "whether it may "+g.What+": "+g.Err.Error())
		}
	}
	if p.err != nil {
		c.fail(p.err.Error(), p.err)
	}
}

// fail prints what is wrong, and what to do if the error does not say so.
func (c *checking) fail(text string, err error) {
	c.page.paintedly("  FAILED", c.page.red, text)
	if remedy := check.Remedy(err); remedy != "" {
		c.page.say("", remedy)
	}
}

// memoryRows is what each stage takes.
func memoryRows(f *finding, memory unit.Bytes) [][]string {
	n := f.Lanes
	rows := [][]string{{"", "each lane", plural(n, "lane"), "shared", ""}}
	for _, need := range f.Needs {
		rows = append(rows, []string{need.Stage, ops.Size(int64(need.Lane)), ops.Size(int64(n) * int64(need.Lane)), orNone(need.Shared), ""})
	}
	lane, shared := f.Need()
	sum := int64(n)*int64(lane) + int64(shared)
	return append(rows, []string{"together", ops.Size(int64(lane)), ops.Size(int64(n) * int64(lane)), orNone(shared), memoryOf(sum, memory)})
}

func orNone(n unit.Bytes) string {
	if n == 0 {
		return "-"
	}
	return ops.Size(int64(n))
}

// memoryOf says a sum beside what there is.
func memoryOf(sum int64, memory unit.Bytes) string {
	return fmt.Sprintf("%s of memory: %v", ops.Size(sum), memory)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
