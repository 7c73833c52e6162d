package config

import (
	"strconv"
	"time"

	"sluice/internal/daemon"
)

// schedule makes of a pipeline's options when its passes begin, and checks its
// hooks.
func (d *decoder) schedule(p *Pipeline) {
	s := spot{base: join("pipelines", p.Name)}
	given := func(option string) (place, bool) {
		at, ok := d.places[s.in(option).path()]
		return at, ok && !d.failed[s.in(option).path()]
	}
	_, every := given("every")
	if at, ok := given("cron"); ok && every {
		d.fail(at, s.in("cron"), "both every and cron are given; leave one out")
	}
	if at, ok := given("time_zone"); ok && p.Cron == "" {
		d.fail(at, s.in("time_zone"), "it is that of cron, which is not given")
	}
	if at, ok := given("missed"); ok && p.Cron == "" && !every {
		d.fail(at, s.in("missed"), "without every or cron there is but one pass")
	}
	switch {
	case p.Cron != "":
		d.cron(p, s)
	case p.Every > 0:
		p.Schedule = daemon.Every(p.Every)
	}
	for i, h := range p.Hooks {
		for _, problem := range h.Problems() {
			problem.Option = join(join("hooks", strconv.Itoa(i)), problem.Option)
			d.problems(stagePlace{d.near(s.in(problem.Option).path(), d.places[s.path()]), s}, problem)
		}
	}
}

func (d *decoder) cron(p *Pipeline, s spot) {
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil || p.TimeZone == "" || p.TimeZone == "Local" {
		at := s.in("time_zone")
		d.fail(d.near(at.path(), place{}), at, "%q is no time zone; write one such as UTC or Europe/Berlin", p.TimeZone)
		return
	}
	c, err := daemon.ParseCron(p.Cron, zone)
	if err != nil {
		at := s.in("cron")
		d.fail(d.places[at.path()], at, "%v", err)
		return
	}
	p.Schedule = c
}
